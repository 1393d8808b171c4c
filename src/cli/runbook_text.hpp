// The runbook of one store: what cairn-runbook(7) says, with the names, sizes and times of this store, and commands to
// copy. Pure.
#pragma once

#include "cli/document.hpp"
#include "codec/digest.hpp"
#include "repo/trust.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// A snapshot that a series may be restored from.
struct RunbookSnapshot {
  Digest id;
  Time cut_point;
};

struct RunbookSeries {
  std::string series;
  std::optional<RunbookSnapshot> newest;  // that can be relied on
  std::optional<std::uint64_t> bytes;     // it holds; nothing where no key at hand opens it
  // The newest that a drill restored, and how long that took.
  std::optional<RunbookSnapshot> proven;
  Time drilled;
  Nanoseconds recovery{};
  // Where it comes from; empty where that is not known.
  std::string kind;  // directory, sqlite, command
  std::string host;
  std::string source;                     // path, or the command
  std::vector<std::string> trusted_keys;  // that may sign it
  std::string remark;                     // on what is not well; empty: nothing
};

// Another store that has the snapshots, too.
struct RunbookStore {
  std::string name;
  std::string address;  // as --store takes it, without secrets
};

struct RunbookFacts {
  Time made;            // by this host's clock
  std::string host;     // this one
  std::string version;  // of the program
  RunbookStore store;
  bool bucket = false;
  std::string bucket_name;
  std::string endpoint;                 // empty: AWS
  std::vector<std::string> recipients;  // empty: it is not encrypted
  std::string identity;                 // where this host's configuration has the identity; empty: it has none
  std::vector<TrustedKey> trusted_keys;
  std::vector<RunbookSeries> series;
  std::vector<RunbookStore> others;
};

Document runbook_of(const RunbookFacts& facts);

}  // namespace cairn
