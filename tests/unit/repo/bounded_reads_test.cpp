// The store that answers a read must not choose how much is read: a listing said how large the object is.
#include "repo/layout.hpp"
#include "repo/notes.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/signing.hpp"

#include <map>
#include <optional>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;

namespace {

// Notes the most that was asked for of each key; nothing: as much as there is.
class Watched : public MemoryStore {
 public:
  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override {
    {
      const std::scoped_lock lock{m_mutex};
      m_asked[key] = range ? std::optional{range->offset + range->length} : std::nullopt;
    }
    return MemoryStore::get(key, range);
  }
  std::map<std::string, std::optional<std::uint64_t>> asked() const {
    const std::scoped_lock lock{m_mutex};
    return m_asked;
  }

 private:
  mutable std::mutex m_mutex;
  std::map<std::string, std::optional<std::uint64_t>> m_asked;
};

}  // namespace

TEST_CASE("bounded reads: no more is read of an object than its listing says") {
  Watched store;
  EngineFixture first{store};
  const PackRef pack = first.put_pack({"a"});
  Manifest manifest = EngineFixture::make_manifest("s", store.now(), {pack});
  const std::string key = first.repository.manifests().store(manifest);
  first.repository.notes().set_pin(manifest.id, "s", true, nullptr);
  store.advance(std::chrono::seconds{1});
  first.repository.notes().set_pin(manifest.id, "s", false, &author());
  Mark mark;
  mark.time = store.now();
  mark.newest_object = store.now();
  mark.seen = {key};
  store.put(layout::mark_key(mark.time, random_name(16)), ObjectBody::from_text(mark.text()));
  PendingRecord pending;
  pending.run = random_name(16);
  pending.host = "host";
  pending.created = store.now();
  pending.packs = {pack};
  store.put(layout::pending_key(pending.run, 1), ObjectBody::from_text(pending.text()));

  EngineFixture second{store, {}, "host", {}, trusting_author()};
  auto& repository = second.repository;
  CHECK_FALSE(repository.notes().pins().pinned(manifest.id, "s"));
  for (const auto& info : repository.manifests().list()) repository.manifests().load(info);
  CHECK(repository.notes().marks().size() == 1);
  std::vector<NoteStore::UnreadableNote> unreadable;
  CHECK(repository.notes().pending(repository.notes().list_pending(), unreadable).size() == 1);
  CHECK(unreadable.empty());

  std::map<std::string, int> kinds;
  for (const auto& each : store.asked()) {
    const auto& name = each.first;
    const auto& end = each.second;
    CAPTURE(name);
    ++kinds[name.substr(0, name.find('/'))];
    REQUIRE(end);
    CHECK(*end <= store.read(name, std::nullopt)->size());
  }
  for (const char* kind : {"config", "snapshots", "marks", "pending", "pins"}) CHECK_MESSAGE(kinds[kind] > 0, kind);
}
