// Child processes, and memory that they share.
#pragma once

#include <functional>
#include <memory>
#include <new>
#include <stdexcept>

#include <sys/mman.h>
#include <sys/types.h>

namespace cairn::hammer {

// A T that this process and those it starts later see alike: nothing in it but atomics and plain values.
template <class T>
std::unique_ptr<T, void (*)(T*)> make_shared_memory() {
  void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error{"unable to map shared memory"};
  return {new (memory) T, [](T* object) {
            object->~T();
            ::munmap(object, sizeof(T));
          }};
}

// A child process that runs body as that user, and dies with this process. Its status is 1 where body throws, and
// standard error says why.
pid_t start(uid_t user, const std::function<void()>& body);

// Waits for its end.
bool ended_well(pid_t child);

// start() and ended_well().
bool run_as(uid_t user, const std::function<void()>& body);

}  // namespace cairn::hammer
