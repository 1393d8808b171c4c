// One suite for every store: what src/store/object_store.hpp promises, checked against the local store always and
// against S3 where CAIRN_TEST_S3_ENDPOINT names a server.
#include "conformance/factories.hpp"
#include "store/object_store.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// Runs the body once for each store there is, each time on an empty one of its own.
template <class F>
void on_every_store(F&& body) {
  for (const auto& factory : conformance::factories()) {
    INFO("store: " << factory.name);
    const auto fixture = factory.make();
    body(*fixture->open());
  }
}

std::vector<std::string> keys_of(ObjectStore& store, const std::string& prefix) {
  std::vector<std::string> keys;
  store.list(prefix, [&](const ObjectInfo& info) { keys.push_back(info.key); });
  return keys;
}

std::string text_of(const std::optional<Bytes>& bytes) {
  return bytes ? std::string{as_text(*bytes)} : std::string{"(nothing)"};
}

Bytes pattern(std::size_t size, unsigned seed) {
  Bytes bytes(size);
  std::uint32_t state = seed * 2654435761U + 1;
  for (auto& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24U);
  }
  return bytes;
}

}  // namespace

TEST_CASE("store: what was put is there, whole, with its size and a time") {
  on_every_store([](ObjectStore& store) {
    CHECK(store.put("a/b.json", ObjectBody::from_text("hello")) == PutOutcome::stored);
    CHECK(text_of(store.get("a/b.json")) == "hello");
    const auto info = store.head("a/b.json");
    REQUIRE(info);
    CHECK(info->key == "a/b.json");
    CHECK(info->size == 5);
    const auto distance = store.now() - info->modified;
    CHECK(distance > std::chrono::seconds{-2});
    CHECK(distance < std::chrono::minutes{2});
  });
}

TEST_CASE("store: what is not there is nothing, not an error") {
  on_every_store([](ObjectStore& store) {
    store.put("dir/file", ObjectBody::from_text("x"));
    for (const char* key : {"missing", "dir", "dir/other", "dir/file/below", "none/at/all"}) {
      INFO(key);
      CHECK_FALSE(store.get(key));
      CHECK_FALSE(store.get(key, ByteRange{0, 4}));
      CHECK_FALSE(store.head(key));
    }
  });
}

TEST_CASE("store: an empty object is an object") {
  on_every_store([](ObjectStore& store) {
    store.put("empty", ObjectBody::from_text(""));
    CHECK(text_of(store.get("empty")).empty());
    CHECK(text_of(store.get("empty", ByteRange{0, 10})).empty());
    REQUIRE(store.head("empty"));
    CHECK(store.head("empty")->size == 0);
  });
}

TEST_CASE("store: a range is cut at the end of the object") {
  on_every_store([](ObjectStore& store) {
    store.put("r", ObjectBody::from_text("0123456789"));
    CHECK(text_of(store.get("r", ByteRange{0, 3})) == "012");
    CHECK(text_of(store.get("r", ByteRange{3, 4})) == "3456");
    CHECK(text_of(store.get("r", ByteRange{8, 100})) == "89");
    CHECK(text_of(store.get("r", ByteRange{2, UINT64_MAX})) == "23456789");
    CHECK(text_of(store.get("r", ByteRange{9, 1})) == "9");
    CHECK(text_of(store.get("r", ByteRange{10, 1})).empty());
    CHECK(text_of(store.get("r", ByteRange{1000, 1})).empty());
    CHECK(text_of(store.get("r", ByteRange{4, 0})).empty());
    CHECK(text_of(store.get("r", ByteRange{0, 10})) == "0123456789");
  });
}

TEST_CASE("store: replacing replaces") {
  on_every_store([](ObjectStore& store) {
    store.put("k", ObjectBody::from_text("the first and longer one"));
    CHECK(store.put("k", ObjectBody::from_text("second")) == PutOutcome::stored);
    CHECK(text_of(store.get("k")) == "second");
  });
}

TEST_CASE("store: create-only leaves what is there") {
  on_every_store([](ObjectStore& store) {
    if (!store.capabilities().create_only) {
      MESSAGE("no create-only PUT: the store refuses to pretend");
      CHECK_THROWS_AS(store.put("k", ObjectBody::from_text("x"), PutMode::create_only), StoreError);
      CHECK_FALSE(store.head("k"));
      return;
    }
    CHECK(store.put("c/k", ObjectBody::from_text("first"), PutMode::create_only) == PutOutcome::stored);
    CHECK(store.put("c/k", ObjectBody::from_text("second"), PutMode::create_only) == PutOutcome::exists);
    CHECK(text_of(store.get("c/k")) == "first");
  });
}

TEST_CASE("store: of many create-only puts of one name exactly one wins") {
  on_every_store([](ObjectStore& store) {
    if (!store.capabilities().create_only) return;
    constexpr int k_writers = 8;
    std::vector<PutOutcome> outcomes(k_writers, PutOutcome::exists);
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < k_writers; ++i) {
        threads.emplace_back([&store, &outcomes, i] {
          outcomes[static_cast<std::size_t>(i)] =
              store.put("race", ObjectBody::from_text("writer " + std::to_string(i)), PutMode::create_only);
        });
      }
    }
    REQUIRE(std::count(outcomes.begin(), outcomes.end(), PutOutcome::stored) == 1);
    const auto winner = std::find(outcomes.begin(), outcomes.end(), PutOutcome::stored) - outcomes.begin();
    CHECK(text_of(store.get("race")) == "writer " + std::to_string(winner));
  });
}

TEST_CASE("store: a body from a file, consumed or not") {
  on_every_store([](ObjectStore& store) {
    const TemporaryDirectory directory{store.make_staging().value_or(fs::temp_directory_path())};
    const Bytes content = pattern(3'000'017, 1);
    const fs::path file = directory.path() / "body";
    write_file_atomic(file, content);
    auto body = ObjectBody::from_file(file, content.size());
    store.put("f/kept", body);
    CHECK(fs::exists(file));
    body.consume_file = true;
    body.sha256 = sha256(content);
    store.put("f/consumed", body);
    CHECK(store.get("f/kept") == content);
    CHECK(store.get("f/consumed") == content);
    CHECK(store.get("f/consumed", ByteRange{2'999'000, 5000}) == Bytes(content.begin() + 2'999'000, content.end()));
    CHECK(keys_of(store, "") == std::vector<std::string>{"f/consumed", "f/kept"});
  });
}

TEST_CASE("store: a file that is not of the announced size is refused and leaves nothing") {
  on_every_store([](ObjectStore& store) {
    const TemporaryDirectory directory{store.make_staging().value_or(fs::temp_directory_path())};
    const fs::path file = directory.path() / "body";
    write_file_atomic(file, as_bytes("12345"));
    for (const std::uint64_t size : {4U, 6U}) {
      for (const bool consume : {false, true}) {
        auto body = ObjectBody::from_file(file, size);
        body.consume_file = consume;
        CHECK_THROWS_AS(store.put("k", body), StoreError);
      }
    }
    CHECK_THROWS_AS(store.put("k", ObjectBody::from_file(directory.path() / "none", 1)), StoreError);
    CHECK_FALSE(store.head("k"));
    CHECK(keys_of(store, "").empty());
  });
}

TEST_CASE("store: the listing is in byte order of whole keys, by any prefix") {
  on_every_store([](ObjectStore& store) {
    std::vector<std::string> keys{"a/b",
                                  "a-b",
                                  "a.b",
                                  "a0",
                                  "a/b-c/d",
                                  "a/b.c",
                                  "a_b/c",
                                  "B",
                                  "packs/ab/abcdef",
                                  "packs/ac/acdef0",
                                  "packs/aa/aa0000",
                                  "packs-x"};
    for (const auto& key : keys) {
      if (key != "a/b") store.put(key, ObjectBody::from_text(key));
    }
    keys.erase(keys.begin());
    std::sort(keys.begin(), keys.end());
    CHECK(keys_of(store, "") == keys);
    CHECK(keys_of(store, "packs/a") ==
          std::vector<std::string>{"packs/aa/aa0000", "packs/ab/abcdef", "packs/ac/acdef0"});
    CHECK(keys_of(store, "packs/ab/abc") == std::vector<std::string>{"packs/ab/abcdef"});
    CHECK(keys_of(store, "packs/") == keys_of(store, "packs/a"));
    CHECK(keys_of(store, "packs") ==
          std::vector<std::string>{"packs-x", "packs/aa/aa0000", "packs/ab/abcdef", "packs/ac/acdef0"});
    CHECK(keys_of(store, "a/b") == std::vector<std::string>{"a/b-c/d", "a/b.c"});
    CHECK(keys_of(store, "packs/ab/abcdefg").empty());
    CHECK(keys_of(store, "packs/ab/abcdef/").empty());
    CHECK(keys_of(store, "nothing").empty());
    CHECK(keys_of(store, "nothing/at/all").empty());
    std::uint64_t bytes = 0;
    store.list("packs/", [&](const ObjectInfo& info) { bytes += info.size; });
    CHECK(bytes == 3 * 15);
  });
}

TEST_CASE("store: a visitor's exception passes through the listing") {
  on_every_store([](ObjectStore& store) {
    store.put("a", ObjectBody::from_text("x"));
    struct Stop {};
    CHECK_THROWS_AS(store.list("", [](const ObjectInfo&) { throw Stop{}; }), Stop);
  });
}

TEST_CASE("store: removing, also what is not there") {
  on_every_store([](ObjectStore& store) {
    for (const char* key : {"d/1", "d/2", "d/3", "e"}) store.put(key, ObjectBody::from_text(key));
    const std::vector<std::string> gone{"d/1", "d/3", "d/none", "f/none"};
    CHECK(store.remove(gone).empty());
    CHECK(store.remove(gone).empty());
    CHECK(store.remove({}).empty());
    CHECK(keys_of(store, "") == std::vector<std::string>{"d/2", "e"});
  });
}

TEST_CASE("store: more than a page of objects is listed and removed") {
  on_every_store([](ObjectStore& store) {
    std::vector<std::string> keys;
    for (int i = 0; i < 1105; ++i) keys.push_back("many/" + std::to_string(100000 + i * 7));
    std::sort(keys.begin(), keys.end());
    {
      std::vector<std::jthread> threads;
      for (std::size_t t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
          for (std::size_t i = t; i < keys.size(); i += 8) store.put(keys[i], ObjectBody::from_text("x"));
        });
      }
    }
    CHECK(keys_of(store, "many/") == keys);
    CHECK(store.remove(keys).empty());
    CHECK(keys_of(store, "").empty());
  });
}

TEST_CASE("store: names that no object can have are refused") {
  on_every_store([](ObjectStore& store) {
    for (const char* key :
         {"", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a b", "a\nb", "\xc3\xa4", "a%2fb", ".tmp-x", "a/.tmp-x"}) {
      INFO(key);
      CHECK_THROWS_AS(store.put(key, ObjectBody::from_text("x")), StoreError);
      CHECK_THROWS_AS(store.get(key), StoreError);
      CHECK_THROWS_AS(store.head(key), StoreError);
      CHECK_THROWS_AS(store.remove(std::vector<std::string>{key}), StoreError);
    }
    CHECK(keys_of(store, "../").empty());
    CHECK(keys_of(store, "/").empty());
  });
}

TEST_CASE("store: two openings see each other's objects at once") {
  for (const auto& factory : conformance::factories()) {
    INFO("store: " << factory.name);
    const auto fixture = factory.make();
    const auto one = fixture->open();
    const auto other = fixture->open();
    one->put("a", ObjectBody::from_text("1"));
    CHECK(text_of(other->get("a")) == "1");
    CHECK(keys_of(*other, "") == std::vector<std::string>{"a"});
    CHECK(other->remove(std::vector<std::string>{"a"}).empty());
    CHECK_FALSE(one->head("a"));
    CHECK(one->requests() >= 2);
  }
}
