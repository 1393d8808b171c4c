#include "repo/object_writer.hpp"

#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

TEST_CASE("object writer: packs, manifests and notes are put under their keys") {
  test::MemoryStore store;
  const ObjectWriter writer{store, ObjectWriter::Sealed::no};
  const auto built = test::EngineFixture::build_pack({"a"});
  writer.put_pack(built.ref, ObjectBody::from_memory(built.memory));
  CHECK(store.objects().at(layout::pack_key(built.ref.name)).bytes == built.memory);
  writer.put_manifest("snapshots/s/x", "text", ObjectWriter::Manifest::put_back);
  writer.put_note("marks/x", "mark");
  CHECK(as_text(store.objects().at("snapshots/s/x").bytes) == "text");
  CHECK(as_text(store.objects().at("marks/x").bytes) == "mark");
}

TEST_CASE("object writer: no plain pack gets into an encrypted store") {
  test::MemoryStore store;
  const ObjectWriter writer{store, ObjectWriter::Sealed::yes};
  const auto built = test::EngineFixture::build_pack({"a"});
  CHECK(failure_of([&] { writer.put_pack(built.ref, ObjectBody::from_memory(built.memory)); }) == ErrorKind::failed);
  CHECK(store.keys().empty());
  const auto owner = age::Identity::generate();
  const Keyring keys{{owner.recipient()}, std::nullopt, {}};
  PackBuilder builder{std::nullopt, keys, PackContent::files};
  builder.add_frame(zstd_compress(as_bytes("a")), {{sha256("a"), 1}});
  const auto sealed = builder.finish();
  writer.put_pack(sealed.ref, ObjectBody::from_memory(sealed.memory));
  CHECK(store.keys() == std::vector<std::string>{layout::pack_key(sealed.ref.name)});
}

TEST_CASE("object writer: only a fresh manifest grows old while it is tried") {
  struct Bodies : test::MemoryStore {
    PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) override {
      ages.push_back(body.ages);
      return MemoryStore::put(key, body, mode);
    }
    std::vector<bool> ages;
  } store;
  const ObjectWriter writer{store, ObjectWriter::Sealed::no};
  writer.put_manifest("snapshots/s/a", "x", ObjectWriter::Manifest::fresh);
  writer.put_manifest("snapshots/s/b", "x", ObjectWriter::Manifest::put_back);
  writer.put_note("marks/c", "x");
  CHECK(store.ages == std::vector<bool>{true, false, false});
}
