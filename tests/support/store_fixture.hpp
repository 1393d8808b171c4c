// A local store in a temporary directory with everything a use case needs around it.
#pragma once

#include "engine/context.hpp"
#include "store/local_store.hpp"
#include "util/file.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cairn::test {

// Keeps what the engine says.
class RecordingReporter : public Reporter {
 public:
  void warning(const std::string& message) override {
    const std::scoped_lock lock{m_mutex};
    warnings.push_back(message);
  }
  void info(const std::string&) override {}
  void progress(const char*, std::uint64_t, std::uint64_t) override {}
  std::vector<std::string> warnings;

 private:
  std::mutex m_mutex;
};

struct StoreFixture {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path source = directory.path() / "source";
  fs::path store_root = directory.path() / "store";
  RecordingReporter reporter;
  ThreadPool pool{2};
  ThreadPool io{4};
  ThreadPool put{4};
  std::unique_ptr<LocalStore> store;
  std::unique_ptr<Repository> repository;
  Nanoseconds ahead{0};  // of contexts made from here on: their clock before this machine's
  Time now = Time{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

  StoreFixture() {
    fs::create_directory(source);
    store = std::make_unique<LocalStore>(store_root, CreateRoot::yes);
    Descriptor descriptor;
    descriptor.store_id = random_name(16);
    descriptor.created = now;
    init_store(*store, descriptor);
    reopen();
  }
  std::shared_ptr<const Keyring> keys;
  TrustPolicy trust;
  RepositoryOptions options() const {
    RepositoryOptions out;
    out.cache_root = directory.path() / "cache";
    out.keys = keys;
    out.trust = trust;
    return out;
  }
  void reopen() { repository = std::make_unique<Repository>(*store, reporter, options()); }
  Context context() {
    return {*repository, pool, io, put, reporter, "testhost", [ahead = ahead] {
              return std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now()) + ahead;
            }};
  }
};

}  // namespace cairn::test
