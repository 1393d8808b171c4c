#include "engine/commit/pack_checker.hpp"

#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// Of several runs and segments: frames of what does not compress.
PackBuilder::Built build(const Keyring& keys) {
  PackBuilder builder{std::nullopt, keys, PackContent::files};
  for (std::size_t i = 0; i < 6; ++i) {
    const Bytes raw = random_bytes(1'000'000 + i);
    const ByteView view{raw};
    builder.add_frame(zstd_compress(raw), {{sha256(view.first(500'000)), 500'000},
                                           {sha256(view.subspan(500'000)), static_cast<std::uint32_t>(500'000 + i)}});
  }
  return builder.finish();
}

struct Subject {
  test::MemoryStore store;
  test::EngineFixture engine;
  PackBuilder::Built built;
  std::string key;

  explicit Subject(const std::shared_ptr<const Keyring>& keys)
      : engine(store, {}, "host", keys), built(build(engine.repository.keys())), key(layout::pack_key(built.ref.name)) {
    store.put(key, ObjectBody::from_memory(built.memory));
  }
  PackCheck check() { return check_pack(engine.repository, built.ref); }
  PackCheck check_flipped(std::uint64_t at) {
    Bytes bytes = built.memory;
    bytes[at] ^= 1;
    store.overwrite(key, as_text(bytes));
    return check();
  }
};

std::shared_ptr<const Keyring> keyring(bool with_identity) {
  const auto owner = age::Identity::generate();
  Keyring::LoadIdentities load;
  if (with_identity) load = [owner] { return std::vector{owner}; };
  return std::make_shared<const Keyring>(std::vector{owner.recipient()}, std::nullopt, load);
}

void check_everything(const std::shared_ptr<const Keyring>& keys) {
  Subject subject{keys};
  std::uint64_t fetched = 0;
  subject.store.on_call = [&](const std::string& operation, const std::string& name) {
    if (operation == "get" && name == subject.key) ++fetched;
  };
  const PackCheck whole = subject.check();
  CHECK(whole.failures.empty());
  CHECK(whole.decoded);
  CHECK(whole.bytes == subject.built.ref.size);
  // The directory, then pieces of 4 MiB.
  CHECK(fetched == 1 + (whole.bytes + (4 << 20) - 1) / (4 << 20));

  const PackRef& ref = subject.built.ref;
  for (std::uint64_t at = 0; at < ref.size; at += at < 64 || at + 800 > ref.size ? 37 : 600'001) {
    CAPTURE(at);
    CHECK_FALSE(subject.check_flipped(at).failures.empty());
  }
  CHECK_FALSE(subject.check_flipped(ref.size - 1).failures.empty());

  for (const std::uint64_t size :
       {std::uint64_t{0}, k_pack_header_size, ref.size / 2, ref.directory_offset, ref.size - 1}) {
    CAPTURE(size);
    subject.store.overwrite(subject.key, as_text(ByteView{subject.built.memory}.first(size)));
    CHECK_FALSE(subject.check().failures.empty());
  }
  subject.store.erase(subject.key);
  CHECK_FALSE(subject.check().failures.empty());
}

}  // namespace

TEST_CASE("pack checker: a flip or a cut anywhere is found, each byte is fetched once") {
  check_everything(nullptr);
}

TEST_CASE("pack checker: the same of a sealed pack") {
  check_everything(keyring(true));
}

TEST_CASE("pack checker: one bad chunk is one failure, and the others are still looked at") {
  Subject subject{nullptr};
  const auto& frames = subject.built.directory.frames();
  // Stored raw inside its frame: the flip decodes.
  const PackCheck check = subject.check_flipped(k_pack_header_size + frames[3].offset + 700'000);
  CHECK(check.failures == std::vector<std::string>{"chunk 7 does not fit its digest"});
  CHECK(check.bytes == subject.built.ref.size);
}

TEST_CASE("pack checker: without a key the bytes are held against the name") {
  Subject subject{keyring(false)};
  const PackCheck whole = subject.check();
  CHECK(whole.failures.empty());
  CHECK_FALSE(whole.decoded);
  CHECK(whole.bytes == subject.built.ref.size);
  CHECK(subject.check_flipped(5'000'000).failures == std::vector<std::string>{"its bytes do not fit its name"});
}
