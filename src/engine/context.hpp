// The needs of every use case: an open repository, the workers, somebody to talk to, and this host's name and clock.
#pragma once

#include "repo/repository.hpp"
#include "util/log.hpp"
#include "util/thread_pool.hpp"
#include "util/time.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace cairn {

struct Context {
  Repository& repository;
  ThreadPool& cpu;  // one thread a processor: digests, compression
  ThreadPool& io;   // threads that wait for the store
  ThreadPool& put;  // a few more, for packs: what is read of the store must not queue up behind all that is to be put
  Reporter& reporter;
  std::string host;
  std::function<Time()> clock;  // this machine's
  // How long something takes: never set back, and may stand still while the machine sleeps.
  std::function<std::chrono::steady_clock::time_point()> steady = std::chrono::steady_clock::now;
};

}  // namespace cairn
