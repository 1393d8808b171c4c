#include "engine/snapshot/series_history.hpp"

#include "capture/directory_source.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "support/store_fixture.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

// By a clock that is wrong by so much.
class Dated : public DirectorySource {
 public:
  Dated(DirectoryOptions options, Nanoseconds by) : DirectorySource(std::move(options)), m_by(by) {}
  SourceEnd finish() override { return {DirectorySource::finish().cut_point + m_by}; }

 private:
  Nanoseconds m_by;
};

struct Series : test::StoreFixture {
  SnapshotResult take(Nanoseconds wrong_by = {}, const SizeGuard& guard = {}) {
    Dated from{{.path = source, .exclude = {}, .include = {}}, wrong_by};
    auto c = context();
    SnapshotRequest request;
    request.series = "s";
    request.guard = guard;
    reporter.warnings.clear();
    return take_snapshot(c, from, request);
  }
  void fill(int files) {
    for (int i = 0; i < files; ++i) {
      // Nothing in one is in another.
      std::string text = std::to_string(i);
      for (int k = 0; k < 2000; ++k) text += sha256(text + std::to_string(k)).hex();
      std::ofstream{source / std::to_string(i), std::ios::binary} << text;
    }
  }
  void empty() {
    fs::remove_all(source);
    fs::create_directory(source);
  }
  Manifest manifest(const SnapshotResult& result) {
    for (const auto& info : repository->manifests().list()) {
      if (info.name.id == result.id.short_hex()) return repository->manifests().load(info);
    }
    FAIL("no such snapshot");
    return {};
  }
  bool warned_of(const std::string& text) const {
    return std::any_of(reporter.warnings.begin(), reporter.warnings.end(),
                       [&](const std::string& warning) { return warning.find(text) != std::string::npos; });
  }
};

}  // namespace

TEST_CASE("series: an emptied source is in doubt each time, and what was there is not stored again") {
  Series t;
  t.fill(8);
  const auto good = t.take();
  CHECK(good.doubt == Doubt::none);
  CHECK_FALSE(good.incomplete);
  t.empty();
  for (int run = 0; run < 2; ++run) {
    const auto emptied = t.take();
    CHECK(emptied.doubt == Doubt::emptied);
    CHECK(emptied.incomplete);
    CHECK(emptied.stats.errors == 0);
    REQUIRE(emptied.problems.size() == 1);
    REQUIRE(t.reporter.warnings.size() == 1);
    CHECK(t.warned_of("it gave no file, and the snapshot before has 8 files"));
    const Record record = t.manifest(emptied).record;
    CHECK(record.doubt == Doubt::emptied);
    CHECK(record.incomplete);
    CHECK(record.sequence == 2U + static_cast<unsigned>(run));
  }
  t.fill(8);
  const auto back = t.take();
  CHECK(back.doubt == Doubt::none);
  CHECK(back.stats.new_bytes < 20'000);
  CHECK(t.manifest(back).record.sequence == 4);
  t.empty();
  CHECK(t.take({}, {.max_drop = {}, .allow_empty = true}).doubt == Doubt::none);
  // The next one is compared with the one that was allowed.
  CHECK(t.take().doubt == Doubt::none);
}

TEST_CASE("series: a tree of less than half its size is in doubt") {
  Series t;
  t.fill(8);
  t.take();
  for (int i = 0; i < 5; ++i) fs::remove(t.source / std::to_string(i));
  CHECK(t.take().doubt == Doubt::shrunk);
  CHECK(t.warned_of("more than 50 % less"));
  CHECK(t.take({}, {.max_drop = 0.9}).doubt == Doubt::none);
  CHECK(t.take().doubt == Doubt::none);
}

TEST_CASE("series: what the user set as a limit commits nothing") {
  Series t;
  t.fill(8);
  t.take();
  fs::remove(t.source / "0");
  const auto refused = [&](const SizeGuard& guard) {
    try {
      t.take({}, guard);
    } catch (const SourceError& e) {
      CHECK(e.kind() == ErrorKind::failed);
      CHECK_FALSE(e.hint().empty());
      return std::string{e.message()};
    }
    return std::string{};
  };
  CHECK(refused({.min_files = 8, .max_drop = {}})
            .find("cannot be trusted: it gave 7 files, fewer than the minimum of 8") != std::string::npos);
  CHECK_FALSE(refused({.min_size = 10U << 20, .max_drop = {}}).empty());
  CHECK_FALSE(refused({.max_drop = 0.1}).empty());
  CHECK(t.repository->manifests().list().size() == 1);
  CHECK(refused({.min_files = 7, .min_size = 1, .max_drop = 0.2}).empty());
}

TEST_CASE("series: a snapshot of a clock that was ahead is neither followed nor compared with") {
  Series t;
  t.fill(8);
  const auto first = t.take();
  std::ofstream{t.source / "more"} << "more";
  const auto ahead = t.take(24h * 365);
  CHECK(t.warned_of("this machine's clock is ahead"));
  for (int run = 0; run < 2; ++run) {
    const auto next = t.take();
    CHECK(t.reporter.warnings.empty());
    const Record record = t.manifest(next).record;
    // Numbers go on from the highest.
    CHECK(record.sequence == 3U + static_cast<unsigned>(run));
    CHECK(record.previous != ahead.id);
    if (run == 0) CHECK(record.previous == first.id);
    // The content that it alone holds is there all the same.
    CHECK(next.stats.new_bytes < 20'000);
  }
  // Its emptiness would be the measure, were it followed.
  t.empty();
  t.take(24h * 366, {.max_drop = {}, .allow_empty = true});
  CHECK(t.take().doubt == Doubt::emptied);
}

TEST_CASE("series: a series of the future alone is gone on with") {
  Series t;
  t.fill(2);
  const auto ahead = t.take(24h * 365);
  const auto next = t.take();
  CHECK(t.manifest(next).record.previous == ahead.id);
  CHECK(t.manifest(next).record.sequence == 2);
  CHECK(next.stats.new_bytes < 20'000);
}

TEST_CASE("series: a clock that is behind is told of") {
  Series t;
  t.fill(2);
  const auto first = t.take();
  CHECK(t.reporter.warnings.empty());
  t.take(-2s);  // clocks differ a little
  CHECK(t.reporter.warnings.empty());
  t.take(-5min);
  CHECK(t.warned_of("before snapshot " + first.id.short_hex()));
  CHECK(t.warned_of("this machine's clock is behind, or was ahead then"));
  t.ahead = -2h;
  t.take();
  CHECK(t.warned_of("and the store's clock says "));
  CHECK(t.warned_of("this machine's clock is behind; retention takes the snapshot for older than it is"));
}

TEST_CASE("series: who may go on with one that cannot be opened") {
  Series t;
  auto context = t.context();
  const Time stored = t.now;
  SeriesHistory history;
  history.last = SeriesHistory::Last{sha256(std::string_view{"x"}), stored, stored, true, false};
  SeriesClaim claim{.kind = "directory", .source = "/srv/app", .defaulted = true, .own_key_since = {}};
  const auto refused = [&] {
    t.reporter.warnings.clear();
    try {
      check_claim(context, history, "app", claim);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK(t.reporter.warnings.empty());
      return true;
    }
    return false;
  };
  const auto told_once = [&] { return t.reporter.warnings.size() == 1 && t.warned_of("read and stored again"); };
  // It has no key, or made it after that snapshot came: it may have lost the one that opens it.
  CHECK_FALSE(refused());
  CHECK(told_once());
  claim.own_key_since = stored + 1h;
  CHECK_FALSE(refused());
  CHECK(told_once());
  // It had its key, which does not open it: another host took it.
  claim.own_key_since = stored - 1h;
  CHECK(refused());
  claim.taken_before = true;
  CHECK_FALSE(refused());
  claim.taken_before = false;
  claim.defaulted = false;
  CHECK_FALSE(refused());
  CHECK(told_once());
  claim.defaulted = true;
  // An older one can be opened, and is of this source.
  history.owner = Facts{};
  history.owner->host = context.host;
  history.owner->kind = "directory";
  history.owner->source = "/srv/app";
  CHECK_FALSE(refused());
  history.owner->host = "another";
  CHECK(refused());
}
