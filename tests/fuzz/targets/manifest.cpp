// The object that commits a snapshot, in the clear and sealed.
#include "repo/manifest.hpp"

#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  const auto kinds = {ErrorKind::damaged, ErrorKind::failed};
  for (const Keyring* keys : {&no_keys(), &fuzz::fixed_keyring()}) {
    std::optional<Manifest> head;
    const bool has_head = fuzz::accepted(kinds, [&] { head = Manifest::parse_head(input, "m", *keys); });
    fuzz::accepted(kinds, [&] {
      const Manifest m = Manifest::parse(input, "m", *keys);
      require(m.id == sha256(m.record_text), "the id is the record's digest");
      if (has_head && head) require(head->seal == m.seal || head->id != m.id, "line 1 and the whole say one thing");
      if (m.closed) {
        require(!fuzz::accepted({ErrorKind::no_key}, [&] { m.require_open(); }), "what is closed cannot be used");
        return;
      }
      require(packs_digest(m.packs) == m.root.packs, "the packs are the root's");
      const std::string plain = m.text();
      require(Manifest::parse(plain, "m").text() == plain, "it is read as it was written");
      const std::string sealed = m.text(fuzz::fixed_keyring());
      const Manifest again = Manifest::parse(sealed, "m", fuzz::fixed_keyring());
      require(!again.closed && again.text() == plain, "the sealed form holds the same");
      require(Manifest::parse(sealed, "m").closed, "without a key it is closed");
      const auto first = Manifest::parse_head(sealed, "m", fuzz::fixed_keyring());
      require(first && first->facts_text == m.facts_text && first->id == m.id, "line 1 holds record and facts");
    });
  }
}

std::vector<std::string> seeds() {
  const Manifest m = fuzz::sample_manifest();
  return {m.text(), m.text(fuzz::fixed_keyring())};
}

const fuzz::Registration k_registration{{"manifest", run, seeds}};

}  // namespace
