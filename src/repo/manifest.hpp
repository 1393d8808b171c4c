// A snapshot (record, facts, root) and the object that commits it in one store (manifest).
// Text form: cairn-format(5), SNAPSHOTS.
#pragma once

#include "codec/digest.hpp"
#include "codec/minisign.hpp"
#include "repo/extent.hpp"
#include "repo/format.hpp"
#include "repo/json_fields.hpp"
#include "repo/keyring.hpp"
#include "repo/pack.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct SnapshotStats {
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;         // logical size of all files
  std::uint64_t new_bytes = 0;     // raw bytes of chunks that this run stored
  std::uint64_t stored_bytes = 0;  // bytes of packs that this run stored
  std::uint64_t packs_written = 0;
  std::uint64_t errors = 0;  // paths that could not be read
};

// Why a snapshot that was read as a whole may hold less than it should, by a comparison with one before it.
enum class Doubt {
  none,
  emptied,  // nothing was there, and something before: a disk that is not mounted looks like that
  shrunk,   // much less was there than before
  other,    // what only a later program knows
};
// As it stands in the record: "emptied", "shrunk"; empty for none, "unknown" for what only a later program knows.
std::string_view doubt_name(Doubt doubt) noexcept;

// The public part: what may be read without a key. Its text's SHA-256 is the snapshot id.
struct Record {
  std::string series;
  Time cut_point;
  std::uint64_t sequence = 1;      // 1 for the first of a series
  std::optional<Digest> previous;  // id of the series' snapshot before
  bool incomplete = false;         // where there is a doubt, too
  Doubt doubt = Doubt::none;
  Digest facts;  // SHA-256 of the facts' text
  Digest root;   // SHA-256 of the root's text

  std::string text() const;
  static Record parse(std::string_view text);
};

// Where the snapshot comes from: private in a sealed store.
struct Facts {
  std::string salt;  // 32 hex digits, random: its digest in the record tells nothing
  std::string host;
  std::string kind;    // directory, sqlite, command
  std::string source;  // path or command name, possibly not UTF-8
  Time started;        // when the capture began, by the host's clock
  bool single_file = false;
  std::map<std::string, std::string> tags;
  SnapshotStats stats;
  std::string content;  // JSON members about the content (SQLite), "" where none

  std::string text() const;
  static Facts parse(std::string_view text);
};

// Where the entries are.
struct Root {
  std::string salt;
  std::uint64_t levels = 0;  // how often the entry list's extents were stored as a list again
  std::uint64_t size = 0;    // bytes of the entry list
  std::vector<Extent> extents;
  Digest packs;  // packs_digest() of all packs

  std::string text() const;
  static Root parse(std::string_view text);
};

// SHA-256 over the logical ids, sorted.
Digest packs_digest(const std::vector<PackRef>& packs);

// The line that a snapshot's author signs, with its newline: "cairn-snapshot 1 SERIES CUTPOINT ID\n".
std::string signed_line(const Record& record, const Digest& id);
// The line that whoever commits it in a store signs: "cairn-packs 1 STORE-ID ID SHA256\n". lists: the digest of all
// that stands behind the first line of the manifest's object, so of which pack is where.
std::string packs_line(const std::string& store_id, const Digest& id, const Digest& lists);

// The signer of what is stored in a store.
struct StoreSigner {
  const minisign::SecretKey& key;
  const std::string& store_id;
  Signature sign(const std::string& line) const;
};

// A parsed and checked manifest: digests of record, facts, root and packs fit together. Where it is sealed and no key
// at hand opens it, it is closed: facts, root and the packs' logical ids are not there, all else is.
struct Manifest {
  Requirements requirements;
  std::vector<Signature> signatures;
  // The whole array as it was read, where it holds more than `signatures` does: it is what text() writes. A signature
  // travels with the record, whoever understands it.
  std::string signatures_text;
  std::string seal = k_seal_none;  // of the object it was read from
  bool closed = false;
  // Over packs_line(), of the object it was read from; and that digest of it, where there are any. They are of that
  // object alone: one that is stored anew names other packs.
  std::vector<Signature> pack_signatures;
  Digest lists_digest;
  // As the repository's policy judges it (repo/trust.hpp).
  bool trusted = true;
  std::optional<std::string> signer;
  std::vector<std::string> packs_signers;  // the known keys that signed which packs they are
  std::string record_text;
  std::string facts_text;
  std::string root_text;
  Digest id;
  Record record;
  Facts facts;
  Root root;
  std::vector<PackRef> packs;
  // Not of the object: packs with the same chunks as some of these, of other manifests of the snapshot.
  std::vector<PackRef> spare_packs;

  // Builds from parts: fills in the digests, texts and id.
  static Manifest make(Record record, Facts facts, Root root, std::vector<PackRef> packs);
  // The object: line 1 with "}" appended is JSON too and holds all but root and packs. The private parts are sealed
  // where the keys seal. Not of a closed one. by: the signer of the list of packs; null: nobody.
  std::string text(const Keyring& keys = no_keys(), const StoreSigner* by = nullptr) const;
  // Error(no_key) where it is closed; to be called before facts, root or logical ids are used.
  void require_open() const;
  // Error(damaged); or failed, for a newer version, an unknown seal, or where it does not parse and asks for a feature
  // to read it. Features are otherwise for the caller to check, by what he wants to do. `what` names the object in
  // messages.
  static Manifest parse(std::string_view text, std::string_view what, const Keyring& keys = no_keys());
  // Only line 1 of the object, from its first bytes: record, facts, signatures, requirements and id. Nothing where the
  // line does not end within them.
  static std::optional<Manifest> parse_head(std::string_view beginning, std::string_view what,
                                            const Keyring& keys = no_keys());
};

}  // namespace cairn
