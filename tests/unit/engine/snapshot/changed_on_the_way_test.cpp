// One answer of the store has a flipped bit, whichever it is: everything is read all the same, and the user is told.
// Data that is damaged in the store for good is called nothing else, though what stands beside it is right.
#include "capture/directory_source.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "engine/verify/verifier.hpp"
#include "repo/layout.hpp"
#include "repo/second_reading.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>

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
    take();
  }

  void take() {
    test::EngineFixture engine{m_store, {}, "host", m_keys};
    DirectorySource from{{.path = m_directory.path() / "source", .exclude = {}, .include = {}}};
    SnapshotRequest request;
    request.series = "s";
    take_snapshot(engine.context, from, request);
  }

  // One more snapshot, which needs two thirds of the large pack, so that it is not read whole.
  void take_less() {
    fs::remove(m_directory.path() / "source" / "large0");
    take();
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
    const auto listed = engine.repository.manifests().list_snapshots();
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].facts.stats.files == 23);
    const auto manifest = engine.repository.manifests().load(listed[0].object);

    VerifyRequest check;
    check.level = VerifyLevel::full;
    check.manifests = engine.repository.manifests().list();
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

  // The object is from now on what change makes of it.
  void damage(const std::string& key, const std::function<void(Bytes&)>& change) {
    Bytes bytes = m_store.read(key, std::nullopt).value();
    change(bytes);
    m_store.put(key, ObjectBody::from_memory(bytes));
  }
  Manifest manifest(test::EngineFixture& engine) {
    return engine.repository.manifests().load(engine.repository.manifests().list().back());
  }
  test::MemoryStore& store() noexcept { return m_store; }
  const std::shared_ptr<const Keyring>& keys() const noexcept { return m_keys; }

  // Verify and restore, of all or of a part, by a host that remembers nothing or what it read when all was well.
  // Returns what was warned of; whatever is there of the target is right.
  std::vector<std::string> told_of_damage(const std::vector<std::string>& paths, const fs::path& cache) {
    test::EngineFixture engine{m_store, cache, "host", m_keys};
    VerifyRequest check;
    check.level = VerifyLevel::full;
    check.manifests = engine.repository.manifests().list();
    if (paths.empty()) CHECK(!verify(engine.context, check).problems.empty());
    const fs::path target = m_directory.path() / "target";
    try {
      restore(engine.context, manifest(engine), {.target = target, .paths = paths, .overwrite = false});
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::damaged);
    }
    if (fs::exists(target)) {
      for (const auto& file : fs::recursive_directory_iterator(target)) {
        if (!file.is_regular_file()) continue;
        CHECK(read_file(file.path()) == read_file(m_directory.path() / "source" / fs::relative(file.path(), target)));
      }
    }
    fs::remove_all(target);
    return engine.reporter.warnings;
  }
  fs::path scratch(const std::string& name) const { return m_directory.path() / name; }

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

std::shared_ptr<const Keyring> sealed_keys() {
  const auto owner = age::Identity::generate();
  return std::make_shared<const Keyring>(std::vector{owner.recipient()}, std::nullopt,
                                         [owner] { return std::vector{owner}; });
}

PackRef largest(const Manifest& manifest) {
  return *std::max_element(manifest.packs.begin(), manifest.packs.end(),
                           [](const PackRef& a, const PackRef& b) { return a.size < b.size; });
}

// A pack that is needed whole is read in another way than runs of its frames.
enum class Needed { whole, part };

void check_damage_alone_is_told(std::shared_ptr<const Keyring> keys, Needed needed,
                                const std::function<void(Journey&)>& damage) {
  Journey journey{std::move(keys)};
  if (needed == Needed::part) journey.take_less();
  const fs::path cache = journey.scratch("cache");
  {
    test::EngineFixture engine{journey.store(), cache, "host", journey.keys()};
    for (const auto& ref : journey.manifest(engine).packs) engine.repository.packs().directory(ref);
  }
  damage(journey);
  const std::vector<std::vector<std::string>> selections{{}, {"large1"}, {"sub/3", "sub/17"}};
  for (const auto& paths : selections) {
    for (const auto& at : {fs::path{}, cache}) {
      CAPTURE(paths.size());
      CAPTURE(at.native());
      for (const auto& warning : journey.told_of_damage(paths, at)) {
        CAPTURE(warning);
        CHECK(warning.find("read again") == std::string::npos);
      }
    }
  }
}

void check_four_bytes(const std::shared_ptr<const Keyring>& keys) {
  constexpr std::size_t k_steps = 7;
  for (std::size_t step = 0; step <= k_steps; ++step) {
    CAPTURE(step);
    check_damage_alone_is_told(keys, step % 2 == 0 ? Needed::whole : Needed::part, [step](Journey& journey) {
      test::EngineFixture engine{journey.store(), {}, "host", journey.keys()};
      const PackRef pack = largest(journey.manifest(engine));
      const std::size_t at = 1000 + step * (pack.directory_offset - 2000) / k_steps;
      journey.damage(layout::pack_key(pack.name), [at](Bytes& bytes) {
        for (std::size_t i = at; i < at + 4; ++i) bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ 0x5aU);
      });
    });
  }
}

}  // namespace

TEST_CASE("changed on the way: one answer is wrong once, and nothing is lost for it") {
  check_every_answer({});
}

TEST_CASE("changed on the way: one answer of a sealed store is wrong once, and nothing is lost for it") {
  check_every_answer(sealed_keys());
}

TEST_CASE("damaged for good: four bytes of a pack are called damage, and never a fault that has passed") {
  check_four_bytes({});
}

TEST_CASE("damaged for good: four bytes of a sealed pack are called damage, and never a fault that has passed") {
  check_four_bytes(sealed_keys());
}

TEST_CASE("damaged for good: a pack that lost its end, or its directory, is called damaged") {
  for (const auto& keys : {std::shared_ptr<const Keyring>{}, sealed_keys()}) {
    CAPTURE(keys == nullptr);
    const auto of_largest = [](Journey& journey, const std::function<void(const PackRef&, Bytes&)>& change) {
      test::EngineFixture engine{journey.store(), {}, "host", journey.keys()};
      const PackRef pack = largest(journey.manifest(engine));
      journey.damage(layout::pack_key(pack.name), [&](Bytes& bytes) { change(pack, bytes); });
    };
    check_damage_alone_is_told(keys, Needed::part, [&](Journey& journey) {
      of_largest(journey, [](const PackRef&, Bytes& bytes) { bytes.resize(bytes.size() / 2); });
    });
    check_damage_alone_is_told(keys, Needed::whole, [&](Journey& journey) {
      of_largest(journey, [](const PackRef& pack, Bytes& bytes) { bytes[pack.directory_offset + 300] ^= 1U; });
    });
  }
}

TEST_CASE("damaged for good: what is gone when it is read again was not right") {
  std::vector<std::string> told;
  int calls = 0;
  const auto gone = read_again_if_damaged(
      [&]() -> std::optional<int> {
        if (calls++ == 0) throw Error(ErrorKind::damaged, "damaged");
        return std::nullopt;
      },
      [&](const Error& e) { told.push_back(e.message()); });
  CHECK(!gone);
  CHECK(calls == 2);
  CHECK(told.empty());
}
