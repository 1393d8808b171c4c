// Copies snapshots from one store to another: the packs that the target lacks, then a manifest with the same record.
//
// Each pack that is copied gets a fresh header and with it a name of its own: two uploads of one content are two
// objects, so what the target's prune has condemned, or is just deleting, never comes back under its old name.
//
// Room engine/push: packs and manifests from one store into another, through engine/commit. Captures nothing.
#pragma once

#include "engine/commit/pack_rebuilder.hpp"
#include "engine/context.hpp"
#include "repo/manifest.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

struct PushRequest {
  enum class Selection {
    newer,  // of each series, what is newer than the target's newest, and `snapshots` whatever their age
    all,    // everything that the target lacks
    named,  // `snapshots`
  };
  Selection selection = Selection::newer;
  std::vector<Digest> snapshots;  // ids; one that the source lacks is Error(not_found)
  std::set<std::string> damaged;  // manifests of the target, by key, that count for nothing
  std::string series;             // newer and all: only this one (nothing: each)
  std::optional<fs::path> spool;  // where large packs wait if the target has no place of its own; else the system's
  std::uint64_t spool_above = k_spool_above;  // packs up to this size are copied in memory
};

struct PushedSnapshot {
  Digest id;
  std::string series;
  Time cut_point;
  bool already_there = false;
  std::string key;  // of the manifest in the target
  std::uint64_t packs_copied = 0;
  std::uint64_t bytes_copied = 0;
  std::uint64_t packs_reused = 0;
  std::uint64_t bytes_reused = 0;
  // Why it was not pushed: it is damaged in the source, or no key at hand opens it, or only a later program can read or
  // rewrite it. Nothing was committed for it.
  std::optional<Error> failure;
};

struct PushResult {
  std::vector<PushedSnapshot> snapshots;  // in the order of the push: by series, oldest first
  std::vector<std::string> unreadable;    // manifests of the source, by key; named in a warning each
  std::uint64_t older = 0;  // snapshots that the target lacks, and that were left as older than its newest
  std::uint64_t packs_copied = 0;
  std::uint64_t bytes_copied = 0;
  std::uint64_t packs_reused = 0;
  std::uint64_t bytes_reused = 0;
  std::chrono::nanoseconds duration{};
};

// A snapshot is committed as soon as its packs are there, so that an interrupted push keeps what it has; what it copied
// beyond that is recorded, and found by the next one. Jobs run in the target's io threads. Throws StoreError, Error
// (interrupted), Error(usage) where both are one store.
PushResult push(Context& from, Context& to, const PushRequest& request);

}  // namespace cairn
