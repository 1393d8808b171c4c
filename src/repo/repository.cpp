#include "repo/repository.hpp"

#include "repo/format.hpp"
#include "repo/loaded.hpp"
#include "repo/second_reading.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_head_bytes = 4096;
constexpr unsigned k_init_attempts = 8;
constexpr std::size_t k_heads_at_once = 64;
constexpr std::size_t k_notes_at_once = 32;
constexpr std::uint64_t k_note_bytes_at_once = 64ULL << 20;
// What is read ahead of directories, as stored: it goes to the cache on disk, whatever of it stays in memory. Decoded
// they take less than twice as much.
constexpr std::uint64_t k_directories_ahead = 32ULL << 20;
constexpr std::size_t k_hex_digits = 2 * sizeof(Digest::bytes);
constexpr std::uint64_t k_largest_pin = 64ULL << 10;
// Of each snapshot, where they have to be signed.
constexpr std::size_t k_unpins_read = 64;
// Keys of sealed packs that are kept.
constexpr std::size_t k_data_keys = 4096;

Error missing(std::string_view kind, std::string_view key) {
  return {ErrorKind::not_found, fmt::format("unable to read {} {}: it is not in the store", kind, quote(key))};
}

// Before the object is read: whoever can write to the store must not choose how much memory a reader takes.
void check_object_size(std::string_view kind, std::string_view key, std::uint64_t size) {
  if (size <= k_max_json_object) return;
  throw Error(ErrorKind::damaged,
              fmt::format("damaged {} {}: it is larger than {} bytes", kind, quote(key), k_max_json_object));
}

// A server, or who may overwrite an object, must not choose how much is read of what was listed with that size. One
// that is 0 is not known.
template <class Info>
std::optional<Bytes> get_whole(ObjectStore& store, const Info& info) {
  return store.get(info.key, ByteRange{0, info.size == 0 ? k_max_json_object : info.size});
}

}  // namespace

Descriptor Repository::init(ObjectStore& store, const Descriptor& descriptor) {
  const std::string text = descriptor.text();
  const std::string key = layout::descriptor_key(descriptor.generation, sha256(text));
  store.set_permissions(descriptor.permissions);
  const auto there = [&](std::string_view but) {
    bool found = false;
    store.list(layout::k_config, [&](const ObjectInfo& info) { found = found || info.key != but; });
    return found;
  };
  for (unsigned attempt = 0; attempt < k_init_attempts; ++attempt) {
    // Two that begin at the same time and met each other: one of them goes first the next time.
    if (attempt != 0) std::this_thread::sleep_for(std::chrono::milliseconds{random_bytes(1)[0]});
    if (there({})) throw is_a_store(store);
    store.put(key, ObjectBody::from_text(text));
    // Of two descriptors put at the same time at least the later is seen together with the other by its writer, who
    // takes it back: nobody has used it, as a store with two is refused. Neither names nor times could tell which one
    // to leave: the other writer may have looked before and gone on.
    if (!there(key)) return descriptor;
    for (const auto& failure : store.remove(std::vector<std::string>{key})) {
      throw Error(ErrorKind::failed,
                  fmt::format("unable to take back the descriptor {}, put at the same time as another: {}",
                              quote(failure.key), failure.message),
                  "remove it by hand: the store cannot be used with both");
    }
  }
  throw Error(ErrorKind::busy, fmt::format("unable to initialise {}: somebody else is at it", quote(store.describe())));
}

Error Repository::is_a_store(const ObjectStore& store) {
  return {ErrorKind::usage, fmt::format("unable to initialise {}: it is a store already", quote(store.describe())),
          "use --if-missing to leave an existing store as it is"};
}

bool Repository::has_content(ObjectStore& store) {
  bool found = false;
  for (const char* prefix : {layout::k_snapshots, layout::k_packs}) {
    if (!found) store.list(prefix, [&](const ObjectInfo&) { found = true; });
  }
  return found;
}

Descriptor Repository::read_descriptor(ObjectStore& store) {
  std::optional<layout::DescriptorKey> newest;
  ObjectInfo newest_object;
  bool several = false;
  bool unknown = false;
  store.list(layout::k_config, [&](const ObjectInfo& info) {
    const auto key = layout::parse_descriptor_key(info.key);
    if (!key) {
      unknown = true;
      return;
    }
    if (newest && newest->generation > key->generation) return;
    several = newest && newest->generation == key->generation;
    check_object_size("store descriptor", info.key, info.size);
    newest = key;
    newest_object = info;
  });
  if (!newest && unknown) {
    throw Error(ErrorKind::damaged, fmt::format("unable to open store {}: no object in config/ has a descriptor's name",
                                                quote(store.describe())));
  }
  if (!newest) {
    if (has_content(store)) {
      throw Error(
          ErrorKind::damaged,
          fmt::format("unable to open store {}: its descriptor is gone, though what was stored is there",
                      quote(store.describe())),
          "bring the objects of config/ back from a copy; or run init, with the same recipients, on a host that "
          "has used the store");
    }
    throw Error(ErrorKind::not_found, fmt::format("unable to open store {}: no store there", quote(store.describe())),
                k_init_hint);
  }
  if (several) {
    throw Error(ErrorKind::untrusted, fmt::format("unable to open store {}: two descriptors of generation {}",
                                                  quote(store.describe()), newest->generation));
  }
  const Bytes bytes = read_again_if_damaged(
      [&] {
        auto read = get_whole(store, newest_object);
        if (!read) throw missing("store descriptor", newest_object.key);
        if (sha256(*read) == newest->sha256) return std::move(*read);
        throw Error(ErrorKind::damaged, fmt::format("damaged store descriptor {}: its bytes do not fit its name",
                                                    quote(newest_object.key)));
      },
      [](const Error&) {});
  Descriptor descriptor = Descriptor::parse(as_text(bytes), newest_object.key);
  descriptor.require_readable(store.describe());
  if (descriptor.generation != newest->generation) {
    throw Error(ErrorKind::damaged, fmt::format("damaged store descriptor {}: its content does not fit its name",
                                                quote(newest_object.key)));
  }
  return descriptor;
}

void Repository::put_descriptor(ObjectStore& store, const Descriptor& descriptor) {
  check_requirements(descriptor.requirements, Operation::write, store.describe());
  if (!descriptor.unknown_members.empty()) {
    throw Error(
        ErrorKind::failed,
        fmt::format("unable to change the keys of {}: its descriptor has the member {}, which this program does "
                    "not know",
                    quote(store.describe()), quote(descriptor.unknown_members.front())),
        "use a newer version of cairn");
  }
  store.set_permissions(descriptor.permissions);
  const std::string text = descriptor.text();
  const Digest sha256_of_text = sha256(text);
  const std::string own = layout::descriptor_key(descriptor.generation, sha256_of_text);
  store.put(own, ObjectBody::from_text(text));
  bool other = false;
  store.list(layout::k_config, [&](const ObjectInfo& info) {
    const auto key = layout::parse_descriptor_key(info.key);
    if (key && key->generation == descriptor.generation && key->sha256 != sha256_of_text) other = true;
  });
  if (!other) return;
  // Nobody can have used it yet: both who wrote one see the other's.
  store.remove(std::span{&own, 1});
  throw Error(ErrorKind::busy, fmt::format("unable to change the keys of {}: somebody else does so at this moment",
                                           quote(store.describe())));
}

Repository::Repository(ObjectStore& store, Reporter& reporter, RepositoryOptions options)
    : m_store(store),
      m_reporter(reporter),
      m_descriptor(options.descriptor ? *options.descriptor : read_descriptor(store)),
      m_cache(options.cache_root, m_descriptor.store_id),
      m_directory_limit(options.directory_memory),
      m_io(options.io != nullptr ? *options.io : m_no_threads),
      m_keys(std::move(options.keys)),
      m_trust(std::move(options.trust)),
      m_load_signing_key(std::move(options.signing_key)),
      m_own_packs(options.own_packs ? options.own_packs(m_descriptor.store_id) : fs::path{}) {
  if (!m_keys) m_keys = std::make_shared<const Keyring>();
  m_store.set_create_only(m_descriptor.create_only);
  m_store.set_permissions(m_descriptor.permissions);
}

std::vector<ManifestInfo> Repository::list_manifests(const std::string& series, std::vector<std::string>* unknown) {
  std::vector<ManifestInfo> out;
  const std::string prefix = series.empty() ? layout::k_snapshots : layout::k_snapshots + series + "/";
  m_store.list(prefix, [&](const ObjectInfo& info) {
    if (auto name = layout::parse_manifest_key(info.key)) {
      out.push_back({info.key, std::move(*name), info.size, info.modified});
    } else if (unknown != nullptr) {
      unknown->push_back(info.key);
    }
  });
  return out;
}

bool Repository::is_listed(const ManifestInfo& wanted) {
  bool found = false;
  m_store.list(wanted.key, [&](const ObjectInfo& info) { found = found || info.key == wanted.key; });
  return found;
}

// What has another size in the store than here was damaged there: the cache must not hide it.
std::optional<Bytes> Repository::cached_manifest_bytes(const ManifestInfo& info) {
  auto kept = m_cache.get("manifests", fs::path{info.key}.filename().native());
  if (!kept || kept->size() != info.size || !layout::fits_name(*kept, info.name)) return std::nullopt;
  return kept;
}

std::string Repository::load_manifest_text(const ManifestInfo& info, Cached cached) {
  if (cached == Cached::yes) {
    if (const auto kept = cached_manifest_bytes(info)) return std::string{as_text(*kept)};
  }
  check_object_size("manifest", info.key, info.size);
  const Bytes bytes = read_again_if_damaged(
      [&] {
        auto read = get_whole(m_store, info);
        if (!read) throw missing("manifest", info.key);
        if (layout::fits_name(*read, info.name)) return std::move(*read);
        throw Error(ErrorKind::damaged,
                    fmt::format("damaged manifest {}: its bytes do not fit its name", quote(info.key)));
      },
      telling(m_reporter));
  m_cache.put("manifests", fs::path{info.key}.filename().native(), bytes);
  return std::string{as_text(bytes)};
}

void check_name(const Manifest& manifest, const ManifestInfo& info) {
  if (manifest.record.series != info.name.series || manifest.record.cut_point != info.name.cut_point ||
      manifest.id.short_hex() != info.name.id) {
    throw Error(ErrorKind::damaged,
                fmt::format("damaged manifest {}: its content does not fit its name", quote(info.key)));
  }
}

Manifest Repository::load_manifest(const ManifestInfo& info, Cached cached) {
  Manifest manifest = peek_manifest(info, cached);
  manifest.require_open();
  return manifest;
}

Manifest Repository::peek_manifest(const ManifestInfo& info, Cached cached) {
  return open_manifest(load_manifest_text(info, cached), info);
}

Manifest Repository::open_manifest(std::string_view text, const ManifestInfo& info) const {
  Manifest manifest = Manifest::parse(text, info.key, *m_keys);
  check_requirements(manifest.requirements, Operation::read, info.key);
  check_name(manifest, info);
  judge(manifest, info);
  return manifest;
}

void Repository::judge(Manifest& manifest, const ManifestInfo& info) const {
  auto judgement = m_trust.judge(manifest.record, manifest.id, manifest.signatures, info.stored_at);
  manifest.trusted = judgement.trusted;
  manifest.signer = std::move(judgement.signer);
  if (!manifest.pack_signatures.empty()) {
    manifest.packs_signers = list_signers(manifest, info.stored_at, own_public_key());
  }
}

std::vector<std::string> Repository::list_signers(const Manifest& manifest, Time stored_at,
                                                  const std::optional<std::string>& own) const {
  if (manifest.pack_signatures.empty() || manifest.lists_digest == Digest{}) return {};
  return m_trust.signers(packs_line(m_descriptor.store_id, manifest.id, manifest.lists_digest),
                         manifest.pack_signatures, stored_at, own);
}

bool Repository::is_vouched(const Manifest& manifest) const {
  return std::any_of(manifest.packs_signers.begin(), manifest.packs_signers.end(),
                     [&](const std::string& key) { return m_trust.trusts(key, manifest.record.series); });
}

const minisign::SecretKey* Repository::signing_key() const {
  std::call_once(m_signing_key_asked, [this] {
    if (!m_load_signing_key) return;
    try {
      m_signing_key = m_load_signing_key();
    } catch (const Error& e) {
      m_reporter.warning(fmt::format("{}; what is stored is not signed", e.message()));
    }
  });
  return m_signing_key.get();
}

// Where keys are trusted, this host's own is one of them or counts for nothing.
std::optional<std::string> Repository::own_public_key() const {
  if (m_trust.demands_signature() || !m_load_signing_key) return std::nullopt;
  const auto* key = signing_key();
  if (key == nullptr) return std::nullopt;
  return key->public_key().text();
}

std::optional<StoreSigner> Repository::signer() {
  const auto* key = signing_key();
  if (key == nullptr) return std::nullopt;
  return StoreSigner{*key, m_descriptor.store_id};
}

std::optional<Manifest> Repository::cached_manifest(const ManifestInfo& info) {
  const auto kept = cached_manifest_bytes(info);
  if (!kept) return std::nullopt;
  try {
    return open_manifest(as_text(*kept), info);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// What is a part of its object, or made of it, stands in the cache behind the size of the object.
std::optional<Bytes> Repository::sized_from_cache(std::string_view kind, const std::string& name,
                                                  std::uint64_t size) const {
  auto kept = m_cache.get(kind, name);
  const std::string before = fmt::format("{}\n", size);
  if (!kept || !as_text(*kept).starts_with(before)) return std::nullopt;
  kept->erase(kept->begin(), kept->begin() + static_cast<std::ptrdiff_t>(before.size()));
  return kept;
}

void Repository::put_sized_to_cache(std::string_view kind, const std::string& name, std::uint64_t size,
                                    std::string_view text) const {
  m_cache.put(kind, name, as_bytes(fmt::format("{}\n{}", size, text)));
}

Manifest Repository::load_head(const ManifestInfo& info) {
  const std::string name = fs::path{info.key}.filename().native();
  auto cached = cached_manifest_bytes(info);
  // A head proves itself: the id that is in the name is a digest of all that is shown of it.
  if (!cached) cached = sized_from_cache("heads", name, info.size);
  const auto open_head = [&](ByteView bytes) {
    auto head = Manifest::parse_head(as_text(bytes), info.key, *m_keys);
    if (!head) return peek_manifest(info);
    check_name(*head, info);
    judge(*head, info);
    return std::move(*head);
  };
  if (cached) {
    std::optional<Manifest> head;
    if (!damage_of([&] { head = open_head(*cached); })) return std::move(*head);
  }
  return read_again_if_damaged(
      [&] {
        const auto bytes = m_store.get(info.key, ByteRange{0, k_head_bytes});
        if (!bytes) throw missing("manifest", info.key);
        auto head = open_head(*bytes);
        put_sized_to_cache("heads", name, info.size, as_text(*bytes));
        return head;
      },
      telling(m_reporter));
}

std::vector<SnapshotInfo> Repository::list_snapshots(const std::string& series, std::vector<std::string>* unreadable) {
  std::vector<std::string> unknown;
  const auto manifests = list_manifests(series, &unknown);
  const auto pinned = pins();
  std::vector<SnapshotInfo> out;
  const auto report = [&](const std::string& key, const std::string& message) {
    m_reporter.warning(message);
    if (unreadable != nullptr) unreadable->push_back(key);
  };
  for (const auto& key : unknown) report(key, fmt::format("object {} is not a manifest's name", quote(key)));
  const auto take = [&](Loaded<ManifestInfo, Manifest> loaded) {
    if (loaded.failure) {
      const bool gone = loaded.failure->kind() == ErrorKind::not_found;
      if (gone && !is_listed(*loaded.info)) return;  // prune removed it since the listing
      return report(loaded.info->key,
                    gone ? fmt::format("manifest {} is listed, and not in the store", quote(loaded.info->key))
                         : loaded.failure->message());
    }
    auto& head = loaded.value;
    SnapshotInfo snapshot;
    snapshot.object = *loaded.info;
    snapshot.id = head->id;
    snapshot.record = std::move(head->record);
    snapshot.facts = std::move(head->facts);
    snapshot.closed = head->closed;
    snapshot.signer = std::move(head->signer);
    snapshot.trusted = head->trusted;
    snapshot.pinned = pinned.pinned(head->id, snapshot.record.series);
    // Two manifests of one id are one snapshot; in a listing they stand side by side.
    if (!out.empty() && out.back().id == snapshot.id) {
      SnapshotInfo& known = out.back();
      auto others = std::move(known.others);
      // Whoever reads it looks at all of them, and at their packs: read_best_copy().
      const bool better =
          snapshot.trusted != known.trusted ? snapshot.trusted : snapshot.object.stored_at < known.object.stored_at;
      if (better) std::swap(known, snapshot);
      others.push_back(std::move(snapshot.object));
      known.others = std::move(others);
      return;
    }
    out.push_back(std::move(snapshot));
  };
  OrderedWindow<Loaded<ManifestInfo, Manifest>> window{m_io, k_heads_at_once, UINT64_MAX, take};
  for (const auto& info : manifests) {
    check_interrupted();
    window.push(0, [this, &info] { return load(info, [&] { return std::optional{load_head(info)}; }); });
  }
  window.drain();
  return out;
}

std::string Repository::store_manifest(const Manifest& manifest, List list) {
  const auto by = list == List::plain ? std::nullopt : signer();
  const std::string text = manifest.text(*m_keys, by ? &*by : nullptr);
  std::string key = layout::manifest_key(manifest.record.series, manifest.record.cut_point, manifest.id, sha256(text));
  ObjectBody body = ObjectBody::from_text(text);
  body.ages = true;  // its writer looked at the marks before
  m_store.put(key, body);
  m_cache.put("manifests", fs::path{key}.filename().native(), as_bytes(text));
  return key;
}

void Repository::store_pending(const PendingRecord& record) {
  const auto by = signer();
  m_store.put(layout::pending_key(record.run, record.number),
              ObjectBody::from_text(record.text(*m_keys, by ? &*by : nullptr)));
}

Pins Repository::pins(Listed listed, const std::optional<Digest>& id) {
  const std::string prefix = id ? layout::k_pins + id->hex() + "/" : layout::k_pins;
  const int listings = listed == Listed::twice ? 2 : 1;
  // The last by name is the newest of its id.
  std::map<std::string, std::pair<ObjectInfo, layout::PinKey>, std::greater<>> found;
  for (int listing = 0; listing < listings; ++listing) {
    m_store.list(prefix, [&](const ObjectInfo& info) {
      if (const auto name = layout::parse_pin_key(info.key)) found.emplace(info.key, std::pair{info, *name});
    });
  }
  std::set<Digest> pinned_once;
  for (const auto& [key, each] : found) {
    if (each.second.pinned) pinned_once.insert(each.second.id);
  }
  Pins out{m_trust};
  std::map<Digest, std::size_t> unpins_read;
  for (auto& [key, each] : found) {
    auto& [info, name] = each;
    PinRecord record{name, info.modified, {}};
    // Only an unpin has to prove itself, and only where there is a pin that it could take off. Whoever adds very many
    // must not have all of them read each time: beyond that they count for nothing, and the pin holds.
    const bool may_count = !name.pinned && pinned_once.contains(name.id) && !is_future_dated(record);
    if (m_trust.demands_signature() && may_count && unpins_read[name.id]++ < k_unpins_read) {
      record.signers = load_pin_signers(info, name);
    }
    out.add(std::move(record));
  }
  return out;
}

std::vector<std::string> Repository::load_pin_signers(const ObjectInfo& info, const layout::PinKey& name) {
  if (info.size == 0 || info.size > k_largest_pin) return {};
  const std::string file = fmt::format("{}-{}", name.id.short_hex(), fs::path{info.key}.filename().native());
  auto text = sized_from_cache("pins", file, info.size);
  if (!text) {
    text = m_store.get(info.key, ByteRange{0, info.size});
    if (text) put_sized_to_cache("pins", file, info.size, as_text(*text));
  }
  return text ? signers_of_pin(as_text(*text), m_descriptor.store_id, name) : std::vector<std::string>{};
}

std::optional<std::string> Repository::set_pin(const Digest& id, const std::string& series, bool pinned,
                                               const minisign::SecretKey* signing_key) {
  check_requirements(m_descriptor.requirements, Operation::write, m_store.describe());
  const Pins seen = pins(Listed::twice, id);
  const Time now = m_store.now();
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
    const bool counts = !m_trust.demands_signature() ||
                        (signing_key != nullptr && m_trust.trusts(signing_key->public_key().text(), series, now));
    if (!counts) {
      throw Error(ErrorKind::untrusted, fmt::format("{}: where keys are trusted, one of them has to sign that", what),
                  "give its file: CAIRN_SIGNING_KEY, or signing_key in the configuration");
    }
  }
  const std::string key = layout::pin_key(id, time, pinned, random_name());
  m_store.put(key, ObjectBody::from_text(pin_text(m_descriptor.store_id, name, signing_key)));
  return key;
}

std::shared_ptr<const PackDirectory> Repository::recall(const PackRef& ref) {
  const std::scoped_lock lock{m_mutex};
  const auto found = m_directories.find(ref.name);
  // Another manifest may have called the same object by another logical id: that is for the checks to refuse.
  if (found == m_directories.end() || found->second.logical_id != ref.logical_id) return nullptr;
  m_ages.splice(m_ages.begin(), m_ages, found->second.age);
  return found->second.directory;
}

void Repository::keep(const PackRef& ref, std::shared_ptr<const PackDirectory> directory) {
  const std::scoped_lock lock{m_mutex};
  if (m_directories.contains(ref.name)) return;
  m_ages.push_front(ref.name);
  m_directory_bytes += directory->memory();
  m_directories.emplace(ref.name, Kept{ref.logical_id, std::move(directory), m_ages.begin()});
  while (m_directory_bytes > m_directory_limit && m_ages.size() > 1) {
    const auto oldest = m_directories.find(m_ages.back());
    m_directory_bytes -= oldest->second.directory->memory();
    m_directories.erase(oldest);
    m_ages.pop_back();
  }
}

std::shared_ptr<const PackDirectory> Repository::cached_directory(const PackRef& ref) {
  if (auto known = recall(ref)) return known;
  // A cached directory is believed only after the same check as a fetched one.
  const auto cached = m_cache.get("directories", ref.name.hex());
  if (!cached) return nullptr;
  try {
    auto directory = std::make_shared<const PackDirectory>(PackDirectory::decode(*cached));
    check_pack_directory(*directory, ref);
    keep(ref, directory);
    return directory;
  } catch (const Error&) {
    m_reporter.info(fmt::format("the cached directory of pack {} is damaged; it is fetched again", ref.name.hex()));
  }
  return nullptr;
}

namespace {

Error damaged_pack(const PackRef& ref, std::string_view cause) {
  return {ErrorKind::damaged, fmt::format("damaged pack {}: {}", quote(layout::pack_key(ref.name)), cause)};
}

// Runs what may find a pack damaged; its name is put before the cause.
template <class F>
auto naming_pack(const PackRef& ref, F check) {
  try {
    return check();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::damaged) throw;
    throw damaged_pack(ref, e.message());
  }
}

Bytes get_up_to(ObjectStore& store, const PackRef& ref, ByteRange range) {
  auto bytes = store.get(layout::pack_key(ref.name), range);
  if (!bytes) throw damaged_pack(ref, "it is missing from the store");
  return std::move(*bytes);
}

Bytes get_range(ObjectStore& store, const PackRef& ref, ByteRange range) {
  Bytes bytes = get_up_to(store, ref, range);
  if (bytes.size() != range.length) throw damaged_pack(ref, "it is shorter than its manifest says");
  return bytes;
}

}  // namespace

void Repository::note_damaged(const PackRef& ref) {
  m_cache.put("damaged", ref.name.hex(), {});
}

std::vector<Digest> Repository::noted_damaged() const {
  std::vector<Digest> out;
  for (const auto& name : m_cache.names("damaged")) {
    if (const auto digest = Digest::parse(name)) out.push_back(*digest);
  }
  return out;
}

bool Repository::fits_name(const PackRef& ref) {
  constexpr std::uint64_t k_piece = 8ULL << 20;
  Sha256 hash;
  for (std::uint64_t at = 0; at < ref.size; at += k_piece) {
    check_interrupted();
    hash.update(get_range(m_store, ref, {at, std::min(k_piece, ref.size - at)}));
  }
  return hash.finish() == ref.name;
}

std::shared_ptr<const PackDirectory> Repository::directory(const PackRef& ref) {
  if (auto known = cached_directory(ref)) return known;
  return remember(ref, read_again_if_damaged([&] { return fetch_directory(ref); }, telling(m_reporter)));
}

std::shared_ptr<const PackDirectory> Repository::take_directory(const PackRef& ref, ByteView stored) {
  if (auto known = recall(ref)) return known;
  return remember(ref, naming_pack(ref, [&] {
                    return std::make_shared<const PackDirectory>(open_pack_directory(stored, ref, *m_keys));
                  }));
}

std::shared_ptr<const PackDirectory> Repository::remember(const PackRef& ref,
                                                          std::shared_ptr<const PackDirectory> directory) {
  remember_directory(ref, *directory);
  keep(ref, directory);
  return directory;
}

std::size_t Repository::fetch_directories(std::span<const PackRef> refs) {
  if (&m_io == &m_no_threads) return 0;
  const bool cached = !m_cache.directory().empty();
  std::uint64_t room = cached ? k_directories_ahead : std::min(k_directories_ahead, m_directory_limit / 2);
  OrderedWindow<bool> window{m_io, m_io.size() + 1, UINT64_MAX, [](bool) {}};
  std::size_t taken = 0;
  for (const auto& ref : refs) {
    check_interrupted();
    if (ref.directory_size > room) break;
    room -= ref.directory_size;
    ++taken;
    window.push(0, [this, &ref] { return !any_failure_of([&] { directory(ref); }); });
  }
  window.drain();
  return taken;
}

std::shared_ptr<const PackDirectory> Repository::fetch_directory(const PackRef& ref) {
  const Bytes bytes = get_range(m_store, ref, {ref.directory_offset, ref.directory_size});
  try {
    return naming_pack(ref,
                       [&] { return std::make_shared<const PackDirectory>(open_pack_directory(bytes, ref, *m_keys)); });
  } catch (const Error& e) {
    // A damaged stanza looks like one for somebody else. Whoever has keys is told which of the two it is.
    if (e.kind() != ErrorKind::no_key || !m_keys->has_identities() || fits_name(ref)) throw;
    throw damaged_pack(ref, "its bytes do not fit its name");
  }
}

void Repository::remember_directory(const PackRef& ref, const PackDirectory& directory) {
  m_cache.put("directories", ref.name.hex(), directory.encode());
}

std::shared_ptr<const age::Decryptor> Repository::data_key(const PackRef& ref, const PackDirectory& directory) {
  {
    const std::scoped_lock lock{m_mutex};
    const auto found = m_data_keys.find(ref.name);
    if (found != m_data_keys.end()) return found->second;
  }
  auto key = std::make_shared<const age::Decryptor>(open_pack_data(ref, directory, *m_keys));
  const std::scoped_lock lock{m_mutex};
  if (m_data_keys.size() >= k_data_keys) m_data_keys.clear();
  m_data_keys.emplace(ref.name, key);
  return key;
}

Bytes Repository::read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                            std::uint64_t length) {
  const StoredRange range = stored_range(ref, directory, offset, length);
  if (!is_sealed(ref.seal)) return get_range(m_store, ref, {range.offset, range.length});
  // Without the key there is nothing to fetch.
  naming_pack(ref, [&] { return data_key(ref, directory); });
  return unseal_data(ref, directory, offset, length, get_range(m_store, ref, {range.offset, range.length}));
}

Bytes Repository::read_pack(const PackRef& ref) {
  return get_up_to(m_store, ref, {0, ref.size});
}

Bytes Repository::unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset,
                              std::uint64_t length, ByteView stored) {
  return naming_pack(ref,
                     [&] { return unseal_range(*data_key(ref, directory), ref, directory, offset, length, stored); });
}

template <class Parse>
std::vector<ObjectInfo> Repository::list_notes(const char* prefix, const char* what, const Parse& parse) {
  std::vector<ObjectInfo> listed;
  m_store.list(prefix, [&](const ObjectInfo& info) {
    if (parse(info.key)) {
      listed.push_back(info);
      return;
    }
    const std::scoped_lock lock{m_mutex};
    if (!m_strange.insert(info.key).second) return;
    m_reporter.warning(
        fmt::format("object {} does not have the name of a {}; it is left alone", quote(info.key), what));
  });
  return listed;
}

std::vector<ObjectInfo> Repository::list_marks() {
  return list_notes(layout::k_marks, "mark", layout::parse_mark_key);
}

std::vector<ObjectInfo> Repository::list_pending() {
  return list_notes(layout::k_pending, "pending record", layout::parse_pending_key);
}

// Many of them side by side, and each to take(), in the order of the listing. Where one is damaged, the way out is
// told.
template <class Note, class Load, class Take>
void Repository::read_notes(const std::vector<ObjectInfo>& listed, const Load& load_note, const Take& take) {
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
  OrderedWindow<LoadedNote> window{m_io, k_notes_at_once, k_note_bytes_at_once, hinting};
  for (const auto& info : listed) {
    check_interrupted();
    window.push(info.size, [&info, &load_note] { return load(info, [&] { return load_note(info); }); });
  }
  window.drain();
}

// A mark is never changed, and its name is never used again. In the cache its digest stands before it.
std::optional<Mark> Repository::load_mark(const ObjectInfo& info, Mark::RemovedBytes bytes, Cached cached) {
  const std::string name = fs::path{info.key}.filename().native();
  const auto kept = bytes == Mark::RemovedBytes::drop && cached == Cached::yes
                        ? sized_from_cache("marks", name, info.size)
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
        const auto stored = get_whole(m_store, info);
        if (!stored) return std::nullopt;
        return parse(as_text(*stored));
      },
      telling(m_reporter));
  if (mark && bytes == Mark::RemovedBytes::drop) {
    const std::string text = mark->text();
    put_sized_to_cache("marks", name, info.size, sha256(text).hex() + text);
  }
  return mark;
}

Repository::NewMarks Repository::marks_besides(const std::unordered_set<std::string>& known) {
  std::vector<ObjectInfo> listed = list_marks();
  std::erase_if(listed, [&](const ObjectInfo& info) { return known.contains(info.key); });
  return read_marks(listed, Mark::RemovedBytes::drop, Cached::yes, nullptr);
}

Repository::NewMarks Repository::read_marks(const std::vector<ObjectInfo>& listed, Mark::RemovedBytes bytes,
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
  read_notes<Mark>(
      listed, [&](const ObjectInfo& info) { return load_mark(info, bytes, cached); }, take);
  return out;
}

std::optional<PendingRecord> Repository::load_pending(const ObjectInfo& info) {
  check_object_size("pending record", info.key, info.size);
  // A prune may remove old ones since the listing; what nobody keeps any more keeps nothing.
  return read_again_if_damaged(
      [&]() -> std::optional<PendingRecord> {
        const auto bytes = get_whole(m_store, info);
        if (!bytes) return std::nullopt;
        auto record = PendingRecord::parse(as_text(*bytes), info.key, *m_keys);
        check_key(record, info.key);
        return record;
      },
      telling(m_reporter));
}

std::vector<Repository::StoredPending> Repository::pending(const std::vector<ObjectInfo>& listed,
                                                           std::vector<UnreadableNote>& unreadable) {
  std::vector<StoredPending> out;
  const auto take = [&](Loaded<ObjectInfo, PendingRecord> loaded) {
    if (loaded.failure) {
      unreadable.push_back({*loaded.info, *loaded.failure});
    } else if (loaded.value) {
      const PendingRecord& record = *loaded.value;
      std::vector<std::string> signers;
      if (!record.signatures.empty()) {
        signers = m_trust.signers(pending_line(m_descriptor.store_id, record, record.unsigned_digest),
                                  record.signatures, loaded.info->modified, own_public_key());
      }
      out.push_back({*loaded.info, std::move(*loaded.value), std::move(signers)});
    }
  };
  read_notes<PendingRecord>(
      listed, [&](const ObjectInfo& info) { return load_pending(info); }, take);
  return out;
}

void Repository::sweep_cache() {
  if (!m_cache.claim_sweep()) return;
  std::unordered_set<std::string> there;
  std::unordered_set<std::string> ids;  // short
  try {
    for (const char* prefix : {layout::k_packs, layout::k_snapshots, layout::k_marks}) {
      m_store.list(prefix, [&](const ObjectInfo& info) {
        there.insert(fs::path{info.key}.filename().native());
        if (const auto name = layout::parse_manifest_key(info.key)) ids.insert(name->id);
      });
    }
  } catch (const Error&) {
    return;
  }
  m_cache.sweep([&](std::string_view kind, const std::string& name) {
    if (kind != "own") return there.contains(name);
    const auto id = Digest::parse(name);
    return id && ids.contains(id->short_hex());
  });
}

}  // namespace cairn
