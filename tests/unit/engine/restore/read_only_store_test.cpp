#include "capture/directory_source.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "engine/verify/verifier.hpp"
#include "support/nobody.hpp"
#include "support/store_fixture.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

struct ReadOnly : test::StoreFixture {
  // Of a few packs, and some that are needed as good as whole.
  ReadOnly() {
    for (int i = 0; i < 40; ++i) {
      std::ofstream out{source / ("file" + std::to_string(i)), std::ios::binary};
      out << std::string(20'000, static_cast<char>('a' + i));
    }
    DirectorySource from{{.path = source, .exclude = {}, .include = {}}};
    auto c = context();
    SnapshotRequest request;
    request.series = "s";
    take_snapshot(c, from, request);
    fs::remove_all(store_root / ".tmp-staging");
    // TemporaryDirectory is private; and whoever may read the store may do no more.
    fs::permissions(directory.path(), static_cast<fs::perms>(0755));
    set_writable(false);
  }
  ~ReadOnly() { set_writable(true); }

  void set_writable(bool writable) {
    const auto mode = [&](const fs::path& path) {
      const bool is_directory = fs::is_directory(path);
      return static_cast<fs::perms>(is_directory ? (writable ? 0755 : 0555) : (writable ? 0644 : 0444));
    };
    fs::permissions(store_root, mode(store_root));
    for (const auto& entry : fs::recursive_directory_iterator{store_root}) {
      fs::permissions(entry.path(), mode(entry.path()));
    }
  }
};

// With threads of its own: a child has none of its parent's. Without a cache, which nobody could write.
struct Reader {
  explicit Reader(const fs::path& root) : store(root), repository(store, reporter, {}) {}
  LocalStore store;
  test::RecordingReporter reporter;
  Repository repository;
  ThreadPool pool{2};
  ThreadPool io{2};
  Context context{
      .repository = repository, .cpu = pool, .io = io, .put = io, .reporter = reporter, .host = "reader", .clock = [] {
        return std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now());
      }};
};

}  // namespace

TEST_CASE("a store that may only be read is listed, verified and restored from, and is not far") {
  ReadOnly t;
  const TemporaryDirectory out{fs::temp_directory_path()};
  fs::permissions(out.path(), static_cast<fs::perms>(0777));
  const fs::path target = out.path() / "target";
  CHECK(test::as_nobody([&] {
    Reader reader{t.store_root};
    const auto snapshots = reader.repository.manifests().list_snapshots();
    VerifyRequest all;
    all.level = VerifyLevel::full;
    all.manifests = reader.repository.manifests().list();
    const auto verified = verify(reader.context, all);
    return snapshots.size() == 1 && verified.problems.empty() && verified.packs_read > 0 &&
           reader.reporter.warnings.empty();
  }));
  CHECK(test::as_nobody([&] {
    Reader reader{t.store_root};
    const auto manifest = reader.repository.manifests().load(reader.repository.manifests().list().front());
    const RestoreRequest request{.target = target, .paths = {}};
    const auto plan = plan_restore(reader.context, manifest, request).figures;
    const auto result = restore(reader.context, manifest, request);
    return plan.files == 40 && plan.bytes == 800'000 && result.problems.empty() && result.files == 40 &&
           reader.store.distance() == Distance::near;
  }));
  CHECK(read_file(target / "file39").size() == 20'000);
  CHECK(!fs::exists(t.store_root / ".tmp-staging"));
}
