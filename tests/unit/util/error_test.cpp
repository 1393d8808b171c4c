#include "util/error.hpp"

#include "util/interrupt.hpp"

#include <csignal>
#include <new>
#include <stdexcept>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

auto throwing(ErrorKind kind) {
  return [kind] { throw Error(kind, "message", "hint"); };
}

auto store_failing(ErrorKind kind) {
  return [kind] { throw StoreError(kind, StoreError::Transient::no, "store"); };
}

}  // namespace

TEST_CASE("error: damage of one object is returned, with what it says") {
  const auto damage = damage_of(throwing(ErrorKind::damaged));
  REQUIRE(damage);
  CHECK(damage->kind() == ErrorKind::damaged);
  CHECK(damage->message() == "message");
  CHECK(damage->hint() == "hint");
  bool ran = false;
  CHECK_FALSE(damage_of([&] { ran = true; }));
  CHECK(ran);
}

TEST_CASE("error: of other kinds only those that the caller names are returned") {
  for (const auto kind : {ErrorKind::failed, ErrorKind::usage, ErrorKind::not_found, ErrorKind::busy, ErrorKind::no_key,
                          ErrorKind::untrusted}) {
    CAPTURE(static_cast<int>(kind));
    CHECK_THROWS_AS(damage_of(throwing(kind)), Error);
    CHECK(damage_of(throwing(kind), {kind})->kind() == kind);
    CHECK(damage_of(throwing(ErrorKind::damaged), {kind})->kind() == ErrorKind::damaged);
    CHECK(any_failure_of(throwing(kind))->kind() == kind);
  }
}

TEST_CASE("error: a store that fails says nothing of an object, whatever kind it names") {
  for (const auto kind : {ErrorKind::damaged, ErrorKind::failed, ErrorKind::not_found}) {
    CHECK_THROWS_AS(damage_of(store_failing(kind), {ErrorKind::failed, ErrorKind::not_found}), StoreError);
    CHECK_THROWS_AS(any_failure_of(store_failing(kind)), StoreError);
  }
}

TEST_CASE("error: an interruption goes through, even where it is named") {
  set_interrupted(SIGINT);
  CHECK_THROWS_AS(damage_of(check_interrupted), Error);
  CHECK_THROWS_AS(damage_of(check_interrupted, {ErrorKind::interrupted}), Error);
  CHECK_THROWS_AS(any_failure_of(check_interrupted), Error);
  set_interrupted(0);
}

TEST_CASE("error: what is no Error goes through") {
  CHECK_THROWS_AS(damage_of([] { throw std::bad_alloc{}; }), std::bad_alloc);
  CHECK_THROWS_AS(any_failure_of([] { throw std::length_error{"x"}; }), std::length_error);
}
