#include "util/early_sync.hpp"

#include "util/file.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <vector>

#include <doctest/doctest.h>

namespace cairn {
namespace {

TEST_CASE("early sync: little data is synced once, at the end") {
  int calls = 0;
  EarlySync sync{5, 100, [&](int descriptor) {
                   CHECK(descriptor == 5);
                   ++calls;
                   return 0;
                 }};
  sync.wrote(99);
  CHECK(sync.finish() == 0);
  CHECK(calls == 1);
}

TEST_CASE("early sync: it syncs while more is written, one call at a time") {
  std::atomic<int> calls{0};
  std::atomic<int> at_once{0};
  std::atomic<bool> overlapped{false};
  EarlySync sync{5, 100, [&](int) {
                   if (++at_once != 1) overlapped = true;
                   ++calls;
                   calls.notify_all();
                   --at_once;
                   return 0;
                 }};
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) sync.wrote(10);
    });
  }
  writers.clear();
  calls.wait(0);
  const int early = calls;
  CHECK(sync.finish() == 0);
  CHECK(calls > early);
  CHECK_FALSE(overlapped);
}

TEST_CASE("early sync: what an early call was told is not forgotten by the last one") {
  std::atomic<int> calls{0};
  EarlySync sync{5, 100, [&](int) {
                   const bool first = calls == 0;
                   errno = first ? EIO : 0;
                   ++calls;
                   calls.notify_all();
                   return first ? -1 : 0;
                 }};
  sync.wrote(100);
  calls.wait(0);
  CHECK(sync.finish() == EIO);
  CHECK(calls == 2);
}

TEST_CASE("early sync: syncfs(2) of a real file system, and of no descriptor") {
  const UniqueFd here = open_file(".", O_RDONLY | O_DIRECTORY);
  EarlySync sync{here.get(), 1};
  sync.wrote(1);
  CHECK(sync.finish() == 0);
  EarlySync none{-1, 1};
  none.wrote(1);
  CHECK(none.finish() == EBADF);
}

}  // namespace
}  // namespace cairn
