// Packs that this host stored in one store, or read there whole: kept with the host's state, as no store tells it.
#pragma once

#include "repo/pack.hpp"
#include "util/file.hpp"

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// A pack as one line of text, without its newline ("NAME SIZE OFFSET SIZE LOGICAL-ID SEAL files|list"), and back. Only
// what is certain of it, not raw_bytes and live_bytes.
std::string pack_line(const PackRef& ref);
std::optional<PackRef> parse_pack_line(std::string_view line);

// A file of such lines, which is only added to. Thread-safe, and several processes may add at the same time. Without a
// file, or where it cannot be written, nothing is known of what was stored: that costs work, never correctness.
class OwnPacks {
 public:
  // Empty: none.
  explicit OwnPacks(fs::path file) : m_file(std::move(file)) {}
  // Lines that are torn are passed over.
  std::vector<PackRef> all() const;
  // Before the pack is put. It is not synced: what a crash takes has to be read once more.
  void add(const PackRef& ref);
  // Forgets what does not stay; not while others add to it. A pack that has gone, or is about to, must not be believed
  // in again: its name is free then, and whoever can put objects can put another under it.
  void tidy(const std::function<bool(const PackRef&)>& stays);

 private:
  bool open();
  fs::path m_file;
  std::mutex m_mutex;
  UniqueFd m_fd;  // holds a shared flock(2): "somebody adds"
  bool m_failed = false;
};

}  // namespace cairn
