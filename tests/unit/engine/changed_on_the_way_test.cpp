// One answer of the store has a flipped bit, whichever it is: everything is read all the same, and the user is told.
#include "capture/directory_source.hpp"
#include "engine/restorer.hpp"
#include "engine/snapshotter.hpp"
#include "engine/verifier.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"

#include <atomic>
#include <fstream>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

void write(const fs::path& path, const Bytes& bytes) {
  std::ofstream out{path, std::ios::binary};
  out << as_text(bytes);
}

class Journey {
 public:
  explicit Journey(std::shared_ptr<const Keyring> keys) : m_keys(std::move(keys)) {
    const fs::path source = m_directory.path() / "source";
    fs::create_directories(source / "sub");
    for (int i = 0; i < 3; ++i) write(source / ("large" + std::to_string(i)), random_bytes(2'500'000));
    for (int i = 0; i < 20; ++i) write(source / "sub" / std::to_string(i), random_bytes(3'000));
    test::EngineFixture engine{m_store, {}, "host", m_keys};
    DirectorySource from{{.path = source, .exclude = {}, .include = {}}};
    SnapshotRequest request;
    request.series = "s";
    take_snapshot(engine.context, from, request);
  }

  // List, verify and restore as a host that knows nothing yet. The answer of that number gets a flipped bit; returns
  // how many there were.
  std::size_t travel(std::size_t changed) {
    std::atomic<std::size_t> answers{0};
    m_store.on_answer = [&](const std::string&, Bytes& answer) {
      if (answers++ != changed || answer.empty()) return;
      auto& byte = answer[changed * 7919 % answer.size()];
      byte = static_cast<std::uint8_t>(byte ^ 1U << (changed % 8));
    };
    test::EngineFixture engine{m_store, {}, "host", m_keys};
    const auto listed = engine.repository.list_snapshots();
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].facts.stats.files == 23);
    const auto manifest = engine.repository.load_manifest(listed[0].object);

    VerifyRequest check;
    check.level = VerifyLevel::full;
    check.manifests = engine.repository.list_manifests();
    CHECK(verify(engine.context, check).problems.empty());

    const fs::path target = m_directory.path() / "target";
    const auto result = restore(engine.context, manifest, {.target = target, .paths = {}, .overwrite = false});
    CHECK(result.problems.empty());
    CHECK(result.files == 23);
    for (const auto& file : fs::recursive_directory_iterator(target)) {
      if (!file.is_regular_file()) continue;
      CHECK(read_file(file.path()) == read_file(m_directory.path() / "source" / fs::relative(file.path(), target)));
    }
    fs::remove_all(target);
    m_told += engine.reporter.warnings.size();
    return answers;
  }
  std::size_t told() const noexcept { return m_told; }

 private:
  TemporaryDirectory m_directory{fs::temp_directory_path()};
  test::MemoryStore m_store;
  std::shared_ptr<const Keyring> m_keys;
  std::size_t m_told = 0;
};

void check_every_answer(std::shared_ptr<const Keyring> keys) {
  Journey journey{std::move(keys)};
  const std::size_t answers = journey.travel(SIZE_MAX);
  CHECK(journey.told() == 0);
  CHECK(answers > 10);
  for (std::size_t i = 0; i < answers; ++i) {
    CAPTURE(i);
    journey.travel(i);
  }
  // The descriptor is read before there is anybody to tell, and the rest of the head of a manifest tells nothing.
  CHECK(journey.told() + 4 >= answers);
}

}  // namespace

TEST_CASE("changed on the way: one answer is wrong once, and nothing is lost for it") {
  check_every_answer({});
}

TEST_CASE("changed on the way: one answer of a sealed store is wrong once, and nothing is lost for it") {
  const auto owner = age::Identity::generate();
  check_every_answer(std::make_shared<const Keyring>(std::vector{owner.recipient()}, std::nullopt,
                                                     [owner] { return std::vector{owner}; }));
}
