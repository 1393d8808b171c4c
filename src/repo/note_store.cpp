#include "repo/note_store.hpp"

#include "repo/format.hpp"
#include "repo/loaded.hpp"
#include "repo/second_reading.hpp"
#include "repo/whole_object.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_notes_at_once = 32;
constexpr std::uint64_t k_note_bytes_at_once = 64ULL << 20;
constexpr std::size_t k_hex_digits = 2 * sizeof(Digest::bytes);
constexpr std::uint64_t k_largest_pin = 64ULL << 10;
// Of each snapshot, where they have to be signed.
constexpr std::size_t k_unpins_read = 64;

}  // namespace

void NoteStore::store_pending(const PendingRecord& record) {
  const auto by = m_basis.signer();
  m_basis.writer.put_note(layout::pending_key(record.run, record.number),
                          record.text(*m_basis.keys, by ? &*by : nullptr));
}

Pins NoteStore::pins(Listed listed, const std::optional<Digest>& id) {
  const std::string prefix = id ? layout::k_pins + id->hex() + "/" : layout::k_pins;
  const int listings = listed == Listed::twice ? 2 : 1;
  // The last by name is the newest of its id.
  std::map<std::string, std::pair<ObjectInfo, layout::PinKey>, std::greater<>> found;
  for (int listing = 0; listing < listings; ++listing) {
    m_basis.store.list(prefix, [&](const ObjectInfo& info) {
      if (const auto name = layout::parse_pin_key(info.key)) found.emplace(info.key, std::pair{info, *name});
    });
  }
  std::set<Digest> pinned_once;
  for (const auto& [key, each] : found) {
    if (each.second.pinned) pinned_once.insert(each.second.id);
  }
  Pins out{m_basis.trust};
  std::map<Digest, std::size_t> unpins_read;
  for (auto& [key, each] : found) {
    auto& [info, name] = each;
    PinRecord record{name, info.modified, {}};
    // Only an unpin has to prove itself, and only where there is a pin that it could take off. Somebody who adds very
    // many must not have all of them read each time: beyond that they count for nothing, and the pin holds.
    const bool may_count = !name.pinned && pinned_once.contains(name.id) && !is_future_dated(record);
    if (m_basis.trust.demands_signature() && may_count && unpins_read[name.id]++ < k_unpins_read) {
      record.signers = load_pin_signers(info, name);
    }
    out.add(std::move(record));
  }
  return out;
}

std::vector<std::string> NoteStore::load_pin_signers(const ObjectInfo& info, const layout::PinKey& name) {
  if (info.size == 0 || info.size > k_largest_pin) return {};
  const std::string file = fmt::format("{}-{}", name.id.short_hex(), fs::path{info.key}.filename().native());
  auto text = m_basis.cache.get_of_size("pins", file, info.size);
  if (!text) {
    text = m_basis.store.get(info.key, ByteRange{0, info.size});
    if (text) m_basis.cache.put_of_size("pins", file, info.size, as_text(*text));
  }
  return text ? signers_of_pin(as_text(*text), m_basis.descriptor.store_id, name) : std::vector<std::string>{};
}

std::optional<std::string> NoteStore::set_pin(const Digest& id, const std::string& series, bool pinned,
                                              const minisign::SecretKey* signing_key) {
  check_requirements(m_basis.descriptor.requirements, Operation::write, m_basis.store.describe());
  const Pins seen = pins(Listed::twice, id);
  const Time now = m_basis.store.now();
  if (seen.pinned(id, series) == pinned) return std::nullopt;
  Time time = now;
  // A clock that was ahead once, or is behind now, must not make an older record the one that counts.
  if (const auto newest = seen.newest(id, series)) time = std::max(time, shifted(*newest, Nanoseconds{1}));
  const layout::PinKey name{id, time, pinned};
  if (!pinned) {
    const auto what = fmt::format("unable to take the pin off {}", id.short_hex());
    if (is_future_dated(PinRecord{name, now, {}})) {
      throw Error(
          ErrorKind::failed,
          fmt::format("{}: it is dated {}, and the store's time is {}", what, format_time(time), format_time(now)),
          "a pin of the future holds until then; its object is below pins/ in the store");
    }
    const bool counts = !m_basis.trust.demands_signature() ||
                        (signing_key != nullptr && m_basis.trust.trusts(signing_key->public_key().text(), series, now));
    if (!counts) {
      throw Error(ErrorKind::untrusted, fmt::format("{}: where keys are trusted, one of them has to sign that", what),
                  "give its file: CAIRN_SIGNING_KEY, or signing_key in the configuration");
    }
  }
  const std::string key = layout::pin_key(id, time, pinned, random_name());
  m_basis.writer.put_note(key, pin_text(m_basis.descriptor.store_id, name, signing_key));
  return key;
}

template <class Parse>
std::vector<ObjectInfo> NoteStore::list(const char* prefix, const char* what, const Parse& parse) {
  std::vector<ObjectInfo> listed;
  m_basis.store.list(prefix, [&](const ObjectInfo& info) {
    if (parse(info.key)) {
      listed.push_back(info);
      return;
    }
    const std::scoped_lock lock{m_mutex};
    if (!m_strange.insert(info.key).second) return;
    m_basis.reporter.warning(
        fmt::format("object {} does not have the name of a {}; it is left alone", quote(info.key), what));
  });
  return listed;
}

std::vector<ObjectInfo> NoteStore::list_marks() {
  return list(layout::k_marks, "mark", layout::parse_mark_key);
}

std::vector<ObjectInfo> NoteStore::list_pending() {
  return list(layout::k_pending, "pending record", layout::parse_pending_key);
}

// Many of them side by side, and each to take(), in the order of the listing. Where one is damaged, the way out is
// told.
template <class Note, class Load, class Take>
void NoteStore::read(const std::vector<ObjectInfo>& listed, const Load& load_note, const Take& take) {
  using LoadedNote = Loaded<ObjectInfo, Note>;
  const auto hinting = [&take](LoadedNote loaded) {
    if (loaded.failure && loaded.failure->kind() == ErrorKind::damaged && loaded.failure->hint().empty()) {
      loaded.failure = Error(ErrorKind::damaged, loaded.failure->message(),
                             fmt::format("to give it up, and have what nothing needs wait for a new grace: cairn prune "
                                         "--store STORE --set-aside {}",
                                         loaded.info->key));
    }
    take(std::move(loaded));
  };
  OrderedWindow<LoadedNote> window{m_basis.io, k_notes_at_once, k_note_bytes_at_once, hinting};
  for (const auto& info : listed) {
    check_interrupted();
    window.push(info.size, [&info, &load_note] { return load(info, [&] { return load_note(info); }); });
  }
  window.drain();
}

// A mark is never changed, and its name is never used again. In the cache its digest stands before it.
std::optional<Mark> NoteStore::load_mark(const ObjectInfo& info, Mark::RemovedBytes bytes, Cached cached) {
  const std::string name = fs::path{info.key}.filename().native();
  const auto kept = bytes == Mark::RemovedBytes::drop && cached == Cached::yes
                        ? m_basis.cache.get_of_size("marks", name, info.size)
                        : std::nullopt;
  const auto parse = [&](std::string_view text) {
    Mark mark = Mark::parse(text, info.key, bytes);
    check_key(mark, info.key);
    return mark;
  };
  if (kept && kept->size() > k_hex_digits) {
    const std::string_view text = as_text(*kept).substr(k_hex_digits);
    if (sha256(text).hex() == as_text(*kept).substr(0, k_hex_digits)) return parse(text);
  }
  check_object_size("mark", info.key, info.size);
  auto mark = read_again_if_damaged(
      [&]() -> std::optional<Mark> {
        const auto stored = get_whole(m_basis.store, info);
        if (!stored) return std::nullopt;
        return parse(as_text(*stored));
      },
      telling(m_basis.reporter));
  if (mark && bytes == Mark::RemovedBytes::drop) {
    const std::string text = mark->text();
    m_basis.cache.put_of_size("marks", name, info.size, sha256(text).hex() + text);
  }
  return mark;
}

NoteStore::NewMarks NoteStore::marks_besides(const std::unordered_set<std::string>& known) {
  std::vector<ObjectInfo> listed = list_marks();
  std::erase_if(listed, [&](const ObjectInfo& info) { return known.contains(info.key); });
  return read_marks(listed, Mark::RemovedBytes::drop, Cached::yes, nullptr);
}

NoteStore::NewMarks NoteStore::read_marks(const std::vector<ObjectInfo>& listed, Mark::RemovedBytes bytes,
                                          Cached cached, std::vector<UnreadableNote>* unreadable) {
  NewMarks out;
  const auto take = [&](Loaded<ObjectInfo, Mark> loaded) {
    const ObjectInfo& info = *loaded.info;
    if (loaded.failure) {
      if (unreadable == nullptr) throw Error(*loaded.failure);
      unreadable->push_back({info, *loaded.failure});
    } else if (loaded.value) {
      out.marks.push_back({info.key, info.modified, std::move(*loaded.value)});
    } else {
      out.vanished = true;
    }
  };
  read<Mark>(
      listed, [&](const ObjectInfo& info) { return load_mark(info, bytes, cached); }, take);
  return out;
}

std::string NoteStore::store_mark(const Mark& mark) {
  std::string key = layout::mark_key(mark.time, random_name(16));
  m_basis.writer.put_note(key, mark.text());
  return key;
}

std::optional<PendingRecord> NoteStore::load_pending(const ObjectInfo& info) {
  check_object_size("pending record", info.key, info.size);
  // A prune may remove old ones since the listing; what nobody keeps any more keeps nothing.
  return read_again_if_damaged(
      [&]() -> std::optional<PendingRecord> {
        const auto bytes = get_whole(m_basis.store, info);
        if (!bytes) return std::nullopt;
        auto record = PendingRecord::parse(as_text(*bytes), info.key, *m_basis.keys);
        check_key(record, info.key);
        return record;
      },
      telling(m_basis.reporter));
}

std::vector<NoteStore::StoredPending> NoteStore::pending(const std::vector<ObjectInfo>& listed,
                                                         std::vector<UnreadableNote>& unreadable) {
  std::vector<StoredPending> out;
  const auto take = [&](Loaded<ObjectInfo, PendingRecord> loaded) {
    if (loaded.failure) {
      unreadable.push_back({*loaded.info, *loaded.failure});
    } else if (loaded.value) {
      const PendingRecord& record = *loaded.value;
      std::vector<std::string> signers;
      if (!record.signatures.empty()) {
        signers = m_basis.trust.signers(pending_line(m_basis.descriptor.store_id, record, record.unsigned_digest),
                                        record.signatures, loaded.info->modified, m_basis.own_public_key());
      }
      out.push_back({*loaded.info, std::move(*loaded.value), std::move(signers)});
    }
  };
  read<PendingRecord>(
      listed, [&](const ObjectInfo& info) { return load_pending(info); }, take);
  return out;
}

}  // namespace cairn
