#include "repo/descriptor_history.hpp"

#include "repo/layout.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"
#include "util/bytes.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;
using test::MemoryStore;

namespace {

constexpr const char* k_recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
constexpr const char* k_other = "age1yhm4gctwfmrpz87tdslm550wrx6m79y9f2hdzt0lndjnehwj0ukqrjpyx5";

Descriptor generation(std::uint64_t number, std::vector<std::string> recipients = {}) {
  Descriptor d;
  d.generation = number;
  d.store_id = std::string(32, 'a');
  d.created = *parse_time("2026-11-21T03:00:00Z");
  d.recipients = std::move(recipients);
  if (!d.recipients.empty()) d.encryption = k_encryption_age;
  return d;
}

void put(ObjectStore& store, const Descriptor& descriptor) {
  const std::string text = descriptor.text();
  store.put(layout::descriptor_key(descriptor.generation, sha256(text)), ObjectBody::from_text(text));
}

std::string doubt(MemoryStore& store, const Descriptor& current) {
  return doubt_about(current, earlier_descriptors(store, current)).value_or("");
}

}  // namespace

TEST_CASE("descriptor history: a store that was encrypted and is not is doubted, however long ago it was") {
  MemoryStore store;
  put(store, generation(1));
  CHECK(doubt(store, generation(2)).empty());
  put(store, generation(2, {k_recipient}));
  CHECK(doubt(store, generation(2)).empty());
  put(store, generation(3));
  for (const std::uint64_t number : {3U, 4U, 100U}) {
    CHECK(doubt(store, generation(number)) == "it is not encrypted, and was in generation 2");
  }
  // As long as it is encrypted, to whomever, there is nothing in the clear.
  CHECK(doubt(store, generation(4, {k_other})).empty());
}

TEST_CASE("descriptor history: another id is another store") {
  MemoryStore store;
  put(store, generation(1, {k_recipient}));
  Descriptor other = generation(2, {k_recipient});
  other.store_id = std::string(32, 'b');
  CHECK(doubt(store, other) ==
        "its id is " + other.store_id + ", and was " + std::string(32, 'a') + " in generation 1");
}

TEST_CASE("descriptor history: what cannot be read might have said anything") {
  MemoryStore store;
  const std::string garbage = "{}";
  const std::string key = layout::descriptor_key(1, sha256(garbage));
  store.put(key, ObjectBody::from_text(garbage));
  CHECK(doubt(store, generation(2)) == "it is not encrypted, and whether it was cannot be read in '" + key + "'");
  CHECK(doubt(store, generation(2, {k_recipient})).empty());
  store.overwrite(key, generation(1).text());  // does not fit its name
  CHECK_FALSE(doubt(store, generation(2)).empty());
  store.erase(key);
  CHECK(doubt(store, generation(2)).empty());
}

TEST_CASE("descriptor history: who was a recipient before") {
  MemoryStore store;
  put(store, generation(1, {k_recipient}));
  put(store, generation(2, {k_recipient, k_other}));
  put(store, generation(3, {k_recipient, k_other}));
  const auto before = [&](const Descriptor& current) -> std::uint64_t {
    const auto earlier = earlier_descriptors(store, current);
    const auto* found = before_change_of_recipients(current, earlier);
    return found == nullptr ? 0 : found->generation;
  };
  CHECK(before(generation(1, {k_recipient})) == 0);
  CHECK(before(generation(2, {k_recipient, k_other})) == 1);
  CHECK(before(generation(4, {k_recipient, k_other})) == 1);
  CHECK(before(generation(4, {k_other})) == 3);
  CHECK(before(generation(4)) == 0);
}

TEST_CASE("descriptor history: nobody reads very many") {
  MemoryStore store;
  for (std::uint64_t number = 1; number <= 1001; ++number) put(store, generation(number));
  CHECK_FALSE(failure_of([&] { earlier_descriptors(store, generation(1001)); }));
  CHECK(failure_of([&] { earlier_descriptors(store, generation(1002)); }) == ErrorKind::untrusted);
}
