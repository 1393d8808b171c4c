// Pending records, marks and the signatures of pins. The first byte says which it is.
#include "repo/notes.hpp"

#include "codec/minisign.hpp"
#include "repo/layout.hpp"
#include "repo/pins.hpp"
#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void check_pending(std::string_view input, const Keyring& keys) {
  const PendingRecord record = PendingRecord::parse(input, "p", keys);
  for (const auto& pack : record.packs) check_pack_ref(pack);
  if (record.closed) return;
  const std::string plain = record.text();
  require(PendingRecord::parse(plain, "p").text() == plain, "a pending record is read as it was written");
  const std::string sealed = record.text(fuzz::fixed_keyring());
  require(PendingRecord::parse(sealed, "p", fuzz::fixed_keyring()).text() == plain, "the sealed form holds the same");
  require(PendingRecord::parse(sealed, "p").closed, "without a key it is closed");
}

void check_mark(std::string_view input) {
  const Mark mark = Mark::parse(input, "m");
  const std::string text = mark.text();
  require(Mark::parse(text, "m").text() == text, "a mark is read as it was written");
  for (const auto& removed : mark.removed) {
    require(removed.key.starts_with(layout::k_snapshots), "only manifests are put back");
  }
}

layout::PinKey sample_pin() {
  return {sha256(std::string_view{"snapshot"}), *parse_time("2026-11-21T03:24:10.123456789Z"), false};
}

// It is no failure, whatever it says: a pin that cannot be read has no signature.
void check_pin(std::string_view input) {
  for (const auto& key : signers_of_pin(input, std::string(32, 'a'), sample_pin())) {
    require(minisign::PublicKey::parse(key).text().size() == 56, "a signer is a key");
  }
}

void run(std::string_view input) {
  if (input.empty()) return;
  const auto kind = input.front();
  input.remove_prefix(1);
  const auto kinds = {ErrorKind::damaged, ErrorKind::failed};
  if (kind == 'p') {
    fuzz::accepted(kinds, [&] { check_pending(input, no_keys()); });
    fuzz::accepted(kinds, [&] { check_pending(input, fuzz::fixed_keyring()); });
  } else if (kind == 'm') {
    fuzz::accepted(kinds, [&] { check_mark(input); });
  } else if (kind == 'u') {
    check_pin(input);
  }
}

std::vector<std::string> seeds() {
  const Time time = *parse_time("2026-11-21T03:24:10.123456789Z");
  PendingRecord pending;
  pending.run = std::string(32, 'a');
  pending.host = "host";
  pending.created = time;
  pending.packs = {fuzz::sample_pack().ref, fuzz::sample_pack(fuzz::fixed_keyring()).ref};
  pending.packs[1].content = PackContent::list;
  Mark mark;
  mark.time = time;
  mark.newest_object = time;
  mark.packs = {pending.packs[0].name};
  mark.seen = {"snapshots/db/a.json"};
  mark.removed = {{"snapshots/db/b.json", "some\xff bytes"}};
  mark.restored = {"snapshots/db/c.json"};
  const std::string unpin = pin_text(std::string(32, 'a'), sample_pin(), nullptr);
  std::string signed_unpin = unpin;
  signed_unpin.insert(signed_unpin.rfind('}'), R"(,"signatures":[{"key":"RW","minisig":"a\nb\nc\nd\n"}])");
  return {"p" + pending.text(), "p" + pending.text(fuzz::fixed_keyring()), "m" + mark.text(), "u" + unpin,
          "u" + signed_unpin};
}

const fuzz::Registration k_registration{{"notes", run, seeds}};

}  // namespace
