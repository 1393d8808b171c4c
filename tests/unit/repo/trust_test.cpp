#include "repo/trust.hpp"

#include "codec/minisign.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

const Time k_stored = *parse_time("2026-11-21T04:00:00Z");

struct Signed {
  Record record;
  Digest id = sha256(std::string_view{"record"});
  explicit Signed(const std::string& series = "db") {
    record.series = series;
    record.cut_point = *parse_time("2026-11-21T03:24:10.5Z");
  }
  Signature by(const minisign::SecretKey& key) const {
    return {key.public_key().text(), key.sign(signed_line(record, id), "comment")};
  }
};

}  // namespace

TEST_CASE("trust: the line that is signed") {
  CHECK(signed_line(Signed{}.record, Digest{}) ==
        "cairn-snapshot 1 db 2026-11-21T03:24:10.500000000Z " + std::string(64, '0') + "\n");
}

TEST_CASE("trust: without keys all is taken and the signer is named; with keys only theirs") {
  const auto good = minisign::SecretKey::generate();
  const auto other = minisign::SecretKey::generate();
  const std::string good_key = good.public_key().text();
  const Signed s;
  const TrustPolicy none;
  const TrustPolicy policy{{{good_key, "*"}}, {}};
  CHECK(none.judge(s.record, s.id, {}, k_stored).trusted);
  CHECK(none.judge(s.record, s.id, {s.by(other)}, k_stored).signer == other.public_key().text());
  CHECK_FALSE(policy.judge(s.record, s.id, {}, k_stored).trusted);
  CHECK_FALSE(policy.judge(s.record, s.id, {s.by(other)}, k_stored).trusted);
  const auto both = policy.judge(s.record, s.id, {s.by(other), s.by(good)}, k_stored);
  CHECK(both.trusted);
  CHECK(both.signer == good_key);
}

TEST_CASE("trust: a signature of another snapshot, under another key or malformed counts for nothing") {
  const auto good = minisign::SecretKey::generate();
  const TrustPolicy policy{{{good.public_key().text(), "*"}}, {}};
  Signed s;
  const auto signature = s.by(good);
  Signed later = s;
  later.record.cut_point += std::chrono::seconds{1};
  CHECK_FALSE(policy.judge(later.record, later.id, {signature}, k_stored).trusted);
  Signed moved{"other"};
  CHECK_FALSE(policy.judge(moved.record, moved.id, {signature}, k_stored).trusted);
  CHECK_FALSE(policy.judge(s.record, sha256(std::string_view{"x"}), {signature}, k_stored).trusted);
  // The owner's name on somebody else's signature.
  auto forged = s.by(minisign::SecretKey::generate());
  forged.key = good.public_key().text();
  CHECK_FALSE(policy.judge(s.record, s.id, {forged}, k_stored).trusted);
  CHECK_FALSE(policy.judge(s.record, s.id, {{good.public_key().text(), "nonsense"}, {"RW", ""}}, k_stored).trusted);
}

TEST_CASE("trust: a key is trusted for the series of its pattern") {
  const auto key = minisign::SecretKey::generate();
  const TrustPolicy policy{{{key.public_key().text(), "db-*"}}, {}};
  const Signed in{"db-main"};
  const Signed out{"web"};
  CHECK(policy.judge(in.record, in.id, {in.by(key)}, k_stored).trusted);
  CHECK_FALSE(policy.judge(out.record, out.id, {out.by(key)}, k_stored).trusted);
}

TEST_CASE("trust: a revoked key counts for what came before, by the store's clock") {
  const auto key = minisign::SecretKey::generate();
  const std::string text = key.public_key().text();
  const Signed s;
  const TrustPolicy gone{{{text, "*"}}, {{text, std::nullopt}}};
  CHECK_FALSE(gone.judge(s.record, s.id, {s.by(key)}, k_stored).trusted);
  const TrustPolicy since{{{text, "*"}}, {{text, k_stored}}};
  CHECK_FALSE(since.judge(s.record, s.id, {s.by(key)}, k_stored).trusted);
  CHECK(since.judge(s.record, s.id, {s.by(key)}, k_stored - std::chrono::seconds{1}).trusted);
  const TrustPolicy only_revoked{{}, {{text, std::nullopt}}};
  CHECK_FALSE(only_revoked.judge(s.record, s.id, {s.by(key)}, k_stored).trusted);
  CHECK(only_revoked.judge(s.record, s.id, {}, k_stored).trusted);
}
