// Which packs a writer may refer to where keys are trusted, beside somebody who may put objects and has no key.
#include "engine/commit/vouched_packs.hpp"

#include "engine/commit/commit_protocol.hpp"
#include "engine/commit/pack_checker.hpp"
#include "engine/push/pusher.hpp"
#include "engine/push/repairer.hpp"
#include "engine/verify/list_signer.hpp"
#include "engine/verify/verifier.hpp"
#include "repo/json_fields.hpp"
#include "repo/layout.hpp"
#include "repo/objects.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/signing.hpp"
#include "unit/support.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const minisign::SecretKey> key_of_author() {
  return {&author(), [](const minisign::SecretKey*) {}};
}

// A host that trusts the author, and has his key or not.
struct Host : EngineFixture {
  explicit Host(MemoryStore& store, bool has_key = true, const fs::path& state = {}, const fs::path& cache = {})
      : EngineFixture(store, cache, "host", {}, trusting_author(), has_key ? key_of_author() : nullptr, state) {}
};

// The same directory, and other content.
PackRef put_garbage(MemoryStore& store, const PackRef& like) {
  Bytes bytes = *store.get(layout::pack_key(like.name));
  for (std::size_t at = k_pack_header_size; at < like.directory_offset; ++at) bytes[at] ^= 0x55;
  PackRef forged = like;
  forged.name = sha256(bytes);
  store.put(layout::pack_key(forged.name), ObjectBody::from_memory(bytes));
  return forged;
}

// The copy that somebody without a key makes of a manifest: all signatures are as they were.
std::string put_copy(MemoryStore& store, EngineFixture& fixture, const ManifestInfo& info, bool first = false) {
  const Manifest manifest = fixture.repository.manifests().load(info);
  std::vector<PackRef> packs;
  for (const auto& ref : manifest.packs) packs.push_back(put_garbage(store, ref));
  const std::string text = fixture.repository.manifests().load_text(info);
  for (int number = 0;; ++number) {
    JsonWriter list;
    list.begin_object();
    write_packs(list, packs);
    list.member("x", number).end_object().newline();
    const std::string copy = text.substr(0, text.rfind("\n,\"packs\":") + 1) + "," + list.text().substr(1);
    const auto key = layout::manifest_key(info.name.series, info.name.cut_point, manifest.id, sha256(copy));
    if ((key < info.key) != first) continue;
    store.put(key, ObjectBody::from_text(copy));
    return key;
  }
}

Manifest signed_manifest(const std::string& series, Time cut_point, const std::vector<PackRef>& packs) {
  Manifest manifest = EngineFixture::make_manifest(series, cut_point, packs);
  sign(manifest);
  return manifest;
}

ManifestInfo info_of(EngineFixture& fixture, const std::string& key) {
  for (const auto& info : fixture.repository.manifests().list()) {
    if (info.key == key) return info;
  }
  throw std::runtime_error("no manifest " + key);
}

bool warned(const EngineFixture& fixture, const std::string& text) {
  return std::any_of(fixture.reporter.warnings.begin(), fixture.reporter.warnings.end(),
                     [&](const std::string& warning) { return warning.find(text) != std::string::npos; });
}

// Whether every pack that the manifest names has the content that its logical id says.
bool is_right(EngineFixture& fixture, const std::string& key) {
  const Manifest manifest = fixture.repository.manifests().load(info_of(fixture, key), Cached::no);
  return std::all_of(manifest.packs.begin(), manifest.packs.end(), [&](const PackRef& ref) {
    const auto check = check_pack(fixture.repository, ref);
    return check.decoded && check.failures.empty();
  });
}

}  // namespace

TEST_CASE("signed lists: what was signed is vouched for; not other packs, another store, or another key") {
  MemoryStore store;
  Host host{store};
  const Manifest manifest = signed_manifest("s", store.now(), {host.put_pack({"one"}), host.put_pack({"two"})});
  const auto key = host.repository.manifests().store(manifest);
  const auto info = info_of(host, key);
  CHECK(host.repository.manifests().is_vouched(host.repository.manifests().load(info)));
  const std::string text = host.repository.manifests().load_text(info);
  const auto judged = [&](const std::string& other) {
    const auto name = layout::manifest_key("s", info.name.cut_point, manifest.id, sha256(other));
    store.put(name, ObjectBody::from_text(other));
    return host.repository.manifests().is_vouched(host.repository.manifests().load(info_of(host, name)));
  };
  CHECK_FALSE(judged(replaced(text, "\"live_bytes\":[0", "\"live_bytes\":[1")));
  CHECK_FALSE(judged(text.substr(0, text.size() - 2) + ",\"x\":1}\n"));
  // Of what stands before it the record's own signature tells.
  CHECK(judged(replaced(text, "\"version\":1", "\"version\":1,\"x\":1")));
  CHECK_FALSE(judged(replaced(text, "\"pack_signatures\"", "\"pack_signature\"")));
  CHECK_FALSE(judged(replaced(text, "\"pack_signatures\":[", "\"pack_signatures\":[1.5],\"x\":[")));
  {
    EngineFixture stranger{store,
                           {},
                           "host",
                           {},
                           trusting_author(),
                           std::make_shared<const minisign::SecretKey>(minisign::SecretKey::generate())};
    const auto theirs = stranger.repository.manifests().store(manifest);
    CHECK_FALSE(host.repository.manifests().is_vouched(host.repository.manifests().load(info_of(host, theirs))));
  }
  MemoryStore other_store;
  Host there{other_store};
  other_store.put(key, ObjectBody::from_text(text));
  CHECK_FALSE(there.repository.manifests().is_vouched(there.repository.manifests().load(info_of(there, key))));
}

TEST_CASE("signed lists: a host without keys reads and writes as ever") {
  MemoryStore store;
  EngineFixture host{store};
  const auto key = host.put_manifest("s", store.now(), {host.put_pack({"one"})});
  CHECK(host.repository.manifests().load_text(info_of(host, key)).find("pack_signatures") == std::string::npos);
  CHECK_FALSE(host.repository.vouches());
}

TEST_CASE("signed lists: the key of one series vouches for no other") {
  MemoryStore store;
  const TrustPolicy trust{{{author().public_key().text(), "x*"}}, {}};
  EngineFixture host{store, {}, "host", {}, trust, key_of_author()};
  const PackRef pack = host.put_pack({"one"});
  const auto of = [&](const std::string& series) {
    const auto key = host.repository.manifests().store(signed_manifest(series, store.now(), {pack}));
    return host.repository.manifests().load(info_of(host, key));
  };
  CHECK(host.repository.manifests().is_vouched(of("x1")));
  CHECK_FALSE(host.repository.manifests().is_vouched(of("s")));
  VouchedPacks vouched{host.repository};
  vouched.add(of("x1"));
  CHECK(vouched.has(pack, "x2"));
  CHECK_FALSE(vouched.allows(pack, "s"));
  PackRef other_place = pack;
  other_place.directory_offset -= 1;
  CHECK_FALSE(vouched.has(other_place, "x2"));
}

TEST_CASE("pending records: where keys are trusted a planted one is not adopted") {
  const TemporaryDirectory state{fs::temp_directory_path()};
  MemoryStore store;
  const auto built = EngineFixture::build_pack({"content that an attacker can foresee"});
  const auto plant = [&](const PackRef& ref) {
    const PendingRecord record{random_name(16), 1, "host", store.now(), {ref}};
    store.put(layout::pending_key(record.run, 1), ObjectBody::from_text(record.text()));
  };
  {
    EngineFixture attacker{store};
    plant(put_garbage(store, attacker.put_pack({"content that an attacker can foresee"})));
    CHECK(CommitProtocol{attacker.context, "s", random_name(16)}.adoptable().size() == 1);
  }
  Host host{store, true, state.path()};
  CHECK(CommitProtocol{host.context, "s", random_name(16)}.adoptable().empty());
  SUBCASE("one that the host signed is") {
    CommitProtocol protocol{host.context, "s", random_name(16)};
    protocol.store_pack(built);
    protocol.abandon();
    Host elsewhere{store, false};
    const CommitProtocol later{elsewhere.context, "s", random_name(16)};
    REQUIRE(later.adoptable().size() == 1);
    CHECK(later.adoptable()[0].name == built.ref.name);
    CHECK(later.may_lean(built.ref, "s"));
  }
  SUBCASE("one of packs that the host's state knows is") {
    Host keyless{store, false, state.path()};
    CommitProtocol protocol{keyless.context, "s", random_name(16)};
    protocol.store_pack(built);
    protocol.abandon();
    CHECK(CommitProtocol{keyless.context, "s", random_name(16)}.adoptable().size() == 1);
    Host rebuilt{store, false};
    CHECK(CommitProtocol{rebuilt.context, "s", random_name(16)}.adoptable().empty());
  }
}

TEST_CASE("pending records: a signed one with other packs counts for nothing") {
  MemoryStore store;
  Host host{store};
  const PackRef one = host.put_pack({"one"});
  const PackRef two = host.put_pack({"two"});
  const PendingRecord record{random_name(16), 1, "host", store.now(), {one}};
  const StoreSigner signer{author(), host.repository.descriptor().store_id};
  const std::string text = record.text(no_keys(), &signer);
  const auto signers = [&](const std::string& put) {
    store.put(layout::pending_key(record.run, 1), ObjectBody::from_text(put));
    std::vector<NoteStore::UnreadableNote> unreadable;
    const auto read = host.repository.notes().pending(host.repository.notes().list_pending(), unreadable);
    return read.empty() ? 99 : read.front().signers.size();
  };
  CHECK(signers(text) == 1);
  CHECK(signers(replaced(text, one.name.hex(), two.name.hex())) == 0);
  CHECK(signers(replaced(text, "\"number\":1", "\"x\":1,\"number\":1")) == 0);
  CHECK(signers(record.text()) == 0);
  CHECK(PendingRecord::parse(text, "p").packs == PendingRecord::parse(record.text(), "p").packs);
}

TEST_CASE("copies of a manifest: a signed list first, then the oldest whose packs are all there") {
  MemoryStore store;
  SUBCASE("keys are trusted") {
    Host host{store};
    const PackRef pack = host.put_pack({"one"});
    const Manifest manifest = signed_manifest("s", store.now(), {pack});
    const auto old = host.repository.manifests().store(manifest, ManifestStore::List::plain);
    store.advance(1min);
    const auto planted = put_copy(store, host, info_of(host, old));
    store.advance(1min);
    auto read = read_best_copy(host.repository, host.repository.manifests().list());
    CHECK(read.found->info.key == old);
    CHECK(warned(host, planted));
    CHECK(read.found->manifest.spare_packs.size() == 1);
    const auto vouched = host.repository.manifests().store(manifest);
    CHECK(read_best_copy(host.repository, host.repository.manifests().list()).found->info.key == vouched);
    // Missing packs are had from the others.
    store.erase(layout::pack_key(pack.name));
    read = read_best_copy(host.repository, host.repository.manifests().list());
    CHECK(read.found->info.key == vouched);
    CHECK(read.found->manifest.spare_packs.size() == 2);
  }
  SUBCASE("no key is trusted") {
    EngineFixture host{store};
    const PackRef pack = host.put_pack({"one"});
    const auto first = host.put_manifest("s", store.now(), {pack});
    store.advance(1min);
    const auto second = put_copy(store, host, info_of(host, first));
    CHECK(read_best_copy(host.repository, host.repository.manifests().list()).found->info.key == first);
    store.erase(layout::pack_key(pack.name));
    CHECK(read_best_copy(host.repository, host.repository.manifests().list()).found->info.key == second);
    CHECK(host.reporter.warnings.empty());
  }
}

namespace {

// A snapshot here and there; then another one here that shares its pack.
struct Pushes {
  MemoryStore from_store;
  MemoryStore to_store;
  EngineFixture from{from_store};
  PackRef shared = from.put_pack({"shared"});
  Manifest first = signed_manifest("s", from_store.now(), {shared});
  Manifest second = signed_manifest("s", from_store.now() + 1min, {shared, from.put_pack({"new"})});

  Pushes() { from.repository.manifests().store(first); }
  void take_second() { from.repository.manifests().store(second); }
};

const PushedSnapshot& only(const PushResult& result) {
  REQUIRE(result.snapshots.size() == 1);
  REQUIRE_FALSE(result.snapshots[0].failure.has_value());
  return result.snapshots[0];
}

}  // namespace

TEST_CASE("pusher: a copy of a signed manifest with other packs is not leaned on") {
  for (const bool before : {true, false}) {
    CAPTURE(before);
    Pushes t;
    Host to{t.to_store};
    const auto key = only(push(t.from.context, to.context, {})).key;
    t.to_store.advance(1min);
    put_copy(t.to_store, to, info_of(to, key), before);
    t.take_second();
    const auto result = push(t.from.context, to.context, {});
    CHECK(only(result).packs_reused == 1);
    CHECK(only(result).packs_copied == 1);
    CHECK(is_right(to, only(result).key));
  }
}

TEST_CASE("pusher: a manifest that somebody put there before it was pushed does not stand for the snapshot") {
  Pushes t;
  Host to{t.to_store};
  push(t.from.context, to.context, {});
  t.take_second();
  // Somebody who can read the source, too, puts one there.
  MemoryStore attackers;
  EngineFixture attacker{attackers};
  push(t.from.context, attacker.context, {});
  for (const auto& info : attacker.repository.manifests().list()) {
    if (info.name.id != t.second.id.short_hex()) continue;
    put_copy(attackers, attacker, info);
  }
  for (const char* prefix : {layout::k_packs, layout::k_snapshots}) {
    for (const auto& key : attackers.keys(prefix)) {
      const bool garbage = prefix == layout::k_packs || key.find(t.second.id.short_hex()) != std::string::npos;
      if (garbage) t.to_store.put(key, ObjectBody::from_memory(*attackers.get(key)));
    }
  }
  const auto result = push(t.from.context, to.context, {});
  REQUIRE_FALSE(only(result).already_there);
  CHECK(is_right(to, only(result).key));
  // Now it is.
  CHECK(push(t.from.context, to.context, {}).snapshots.empty());
}

TEST_CASE("pusher: what nobody vouches for is read whole, once") {
  const TemporaryDirectory state{fs::temp_directory_path()};
  Pushes t;
  {
    EngineFixture before{t.to_store};
    push(t.from.context, before.context, {});
  }
  t.take_second();
  SUBCASE("with a key: and signed") {
    Host to{t.to_store};
    CHECK(only(push(t.from.context, to.context, {})).packs_reused == 1);
    CHECK(warned(to, "read whole"));
    to.reporter.warnings.clear();
    CHECK(push(t.from.context, to.context, {}).snapshots.empty());
    CHECK(to.reporter.warnings.empty());
  }
  SUBCASE("without one: and remembered") {
    Host to{t.to_store, false, state.path()};
    CHECK(only(push(t.from.context, to.context, {})).packs_reused == 1);
    CHECK(warned(to, "read whole"));
    to.reporter.warnings.clear();
    Host again{t.to_store, false, state.path()};
    CHECK(push(t.from.context, again.context, {}).snapshots.empty());
    CHECK(again.reporter.warnings.empty());
  }
  SUBCASE("garbage is found out") {
    EngineFixture attacker{t.to_store};
    const auto key = attacker.repository.manifests().list().front();
    put_copy(t.to_store, attacker, key, true);
    t.to_store.erase(layout::pack_key(attacker.repository.manifests().load(key).packs.front().name));
    Host to{t.to_store};
    const auto result = push(t.from.context, to.context, {});
    CHECK(only(result).packs_reused == 0);
    CHECK(is_right(to, only(result).key));
  }
}

TEST_CASE("pusher: garbage in the source is not copied under a signature") {
  Pushes t;
  t.to_store.advance(1h);
  const auto info = t.from.repository.manifests().list().front();
  t.from_store.advance(1min);
  put_copy(t.from_store, t.from, info, true);
  t.from_store.erase(layout::pack_key(t.shared.name));
  Host to{t.to_store};
  const auto result = push(t.from.context, to.context, {});
  REQUIRE(result.snapshots.size() == 1);
  CHECK(result.snapshots[0].failure.has_value());
  CHECK(to.repository.manifests().list().empty());
}

TEST_CASE("verifier: says which packs no trusted list names, and lets no such pack stand in for another") {
  MemoryStore store;
  Host host{store};
  const PackRef pack = host.put_pack({"one"});
  const auto key = host.repository.manifests().store(signed_manifest("s", store.now(), {pack}));
  const auto verified = [&](VerifyLevel level) {
    VerifyRequest request;
    request.level = level;
    request.manifests = host.repository.manifests().list();
    return verify(host.context, request);
  };
  CHECK(verified(VerifyLevel::quick).unvouched_packs.empty());
  store.advance(1min);
  put_copy(store, host, info_of(host, key));
  CHECK(verified(VerifyLevel::quick).unvouched_packs.size() == 1);
  CHECK(verified(VerifyLevel::quick).problems.empty());
  store.erase(layout::pack_key(pack.name));
  CHECK(verified(VerifyLevel::quick).problems.size() == 1);
}

TEST_CASE("list signer: what was read whole is signed, with the packs that are right") {
  MemoryStore store;
  Host host{store};
  const PackRef pack = host.put_pack({"one"});
  const Manifest manifest = signed_manifest("s", store.now(), {pack});
  const auto key = host.repository.manifests().store(manifest, ManifestStore::List::plain);
  store.advance(1min);
  put_copy(store, host, info_of(host, key), true);
  const auto run = [&] {
    VerifyRequest request;
    request.level = VerifyLevel::full;
    request.manifests = host.repository.manifests().list();
    const auto found = verify(host.context, request);
    return sign_lists(host.context, {request.manifests, found.proven_packs, {}});
  };
  const auto result = run();
  CHECK(result.snapshots == 1);
  CHECK(result.left.empty());
  const auto read = read_best_copy(host.repository, host.repository.manifests().list());
  REQUIRE(host.repository.manifests().is_vouched(read.found->manifest));
  CHECK(read.found->manifest.packs.front().name == pack.name);
  CHECK(run().snapshots == 0);
  SUBCASE("without a key, or with another one") {
    Host keyless{store, false};
    CHECK(failure_of([&] { sign_lists(keyless.context, {}); }) == ErrorKind::usage);
    EngineFixture other{store,
                        {},
                        "host",
                        {},
                        trusting_author(),
                        std::make_shared<const minisign::SecretKey>(minisign::SecretKey::generate())};
    CHECK(failure_of([&] { sign_lists(other.context, {}); }) == ErrorKind::usage);
  }
}

TEST_CASE("repairer: what is repaired has a signed list, and no copy without one makes a snapshot whole") {
  MemoryStore store;
  MemoryStore other_store;
  Host host{store};
  Host other{other_store};
  const auto kept = EngineFixture::build_pack({"kept"});
  const auto lost = EngineFixture::build_pack({"lost"});
  for (auto* to : {&store, &other_store}) {
    for (const auto* built : {&kept, &lost}) {
      to->put(layout::pack_key(built->ref.name), ObjectBody::from_memory(built->memory));
    }
  }
  const Manifest manifest = signed_manifest("s", store.now(), {kept.ref, lost.ref});
  const auto key = host.repository.manifests().store(manifest, ManifestStore::List::plain);
  other.repository.manifests().store(manifest);
  store.advance(1min);
  put_copy(store, host, info_of(host, key));
  store.erase(layout::pack_key(lost.ref.name));
  RepairRequest request;
  request.packs = {lost.ref};
  const auto result = repair(host.context, &other.context, request);
  REQUIRE(result.snapshots.size() == 1);
  CHECK_FALSE(result.snapshots[0].failure.has_value());
  const auto read = read_best_copy(host.repository, host.repository.manifests().list());
  CHECK(host.repository.manifests().is_vouched(read.found->manifest));
  CHECK(is_right(host, read.found->info.key));
}

TEST_CASE("signed lists: what a revoked key signed is nobody's word") {
  MemoryStore store;
  Host host{store};
  const auto key = host.repository.manifests().store(signed_manifest("s", store.now(), {host.put_pack({"one"})}));
  TrustPolicy trust = trusting_author();
  trust.revoked = {{author().public_key().text(), std::nullopt}};
  EngineFixture later{store, {}, "host", {}, trust};
  CHECK_FALSE(later.repository.manifests().is_vouched(later.repository.manifests().load(info_of(later, key))));
  trust.revoked = {{author().public_key().text(), store.now() + 1h}};
  EngineFixture since{store, {}, "host", {}, trust};
  CHECK(since.repository.manifests().is_vouched(since.repository.manifests().load(info_of(since, key))));
}

TEST_CASE("list signer: what is damaged is not signed") {
  MemoryStore store;
  Host host{store};
  const PackRef pack = host.put_pack({"one"});
  const auto garbage = put_garbage(store, pack);
  const Manifest manifest = signed_manifest("s", store.now(), {garbage});
  host.repository.manifests().store(manifest, ManifestStore::List::plain);
  VerifyRequest request;
  request.level = VerifyLevel::full;
  request.manifests = host.repository.manifests().list();
  const auto result = sign_lists(host.context, {request.manifests, verify(host.context, request).proven_packs, {}});
  CHECK(result.snapshots == 0);
  CHECK(result.left.size() == 1);
}
