#include "repo/repository.hpp"

#include "repo/format.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_head_bytes = 4096;
constexpr unsigned k_init_attempts = 8;

Error missing(std::string_view kind, std::string_view key) {
  return {ErrorKind::not_found, fmt::format("unable to read {} {}: it is not in the store", kind, quote(key))};
}

// Before the object is read: whoever can write to the store must not choose how much memory a reader takes.
void check_object_size(std::string_view kind, std::string_view key, std::uint64_t size) {
  if (size <= k_max_json_object) return;
  throw Error(ErrorKind::damaged,
              fmt::format("damaged {} {}: it is larger than {} bytes", kind, quote(key), k_max_json_object));
}

}  // namespace

Descriptor Repository::init(ObjectStore& store, const Descriptor& descriptor) {
  const std::string text = descriptor.text();
  const std::string key = layout::descriptor_key(descriptor.generation, sha256(text));
  const auto there = [&](std::string_view but) {
    bool found = false;
    store.list(layout::k_config, [&](const ObjectInfo& info) { found = found || info.key != but; });
    return found;
  };
  for (unsigned attempt = 0; attempt < k_init_attempts; ++attempt) {
    // Two that begin at the same time and met each other: one of them goes first the next time.
    if (attempt != 0) std::this_thread::sleep_for(std::chrono::milliseconds{random_bytes(1)[0]});
    if (there({})) {
      throw Error(ErrorKind::usage,
                  fmt::format("unable to initialise {}: it is a store already", quote(store.describe())),
                  "use --if-missing to leave an existing store as it is");
    }
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

namespace {

Descriptor read_descriptor(ObjectStore& store) {
  std::optional<layout::DescriptorKey> newest;
  std::string newest_key;
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
    newest_key = info.key;
  });
  if (!newest && unknown) {
    throw Error(ErrorKind::damaged, fmt::format("unable to open store {}: no object in config/ has a descriptor's name",
                                                quote(store.describe())));
  }
  if (!newest) {
    throw Error(ErrorKind::not_found, fmt::format("unable to open store {}: no store there", quote(store.describe())),
                "create one with: cairn init --store STORE --no-encryption");
  }
  if (several) {
    throw Error(ErrorKind::untrusted, fmt::format("unable to open store {}: two descriptors of generation {}",
                                                  quote(store.describe()), newest->generation));
  }
  const auto bytes = store.get(newest_key);
  if (!bytes) throw missing("store descriptor", newest_key);
  if (sha256(*bytes) != newest->sha256) {
    throw Error(ErrorKind::damaged,
                fmt::format("damaged store descriptor {}: its bytes do not fit its name", quote(newest_key)));
  }
  Descriptor descriptor = Descriptor::parse(as_text(*bytes), newest_key);
  if (descriptor.generation != newest->generation) {
    throw Error(ErrorKind::damaged,
                fmt::format("damaged store descriptor {}: its content does not fit its name", quote(newest_key)));
  }
  if (descriptor.encryption != "none") {
    throw Error(ErrorKind::failed,
                fmt::format("unable to open store {}: it is encrypted with {}, which this program does not know",
                            quote(store.describe()), quote(descriptor.encryption)),
                "use a newer version of cairn");
  }
  return descriptor;
}

}  // namespace

Repository::Repository(ObjectStore& store, Reporter& reporter, RepositoryOptions options)
    : m_store(store),
      m_reporter(reporter),
      m_descriptor(read_descriptor(store)),
      m_cache(options.cache_root, m_descriptor.store_id),
      m_directory_limit(options.directory_memory) {
  check_requirements(m_descriptor.requirements, Operation::read, m_store.describe());
  m_store.set_create_only(m_descriptor.create_only);
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

Bytes Repository::get_checked(const std::string& key, std::string_view kind) {
  auto bytes = m_store.get(key);
  if (!bytes) throw missing(kind, key);
  return std::move(*bytes);
}

std::string Repository::load_manifest_text(const ManifestInfo& info, Cached cached) {
  const std::string name = fs::path{info.key}.filename().native();
  if (cached == Cached::yes) {
    const auto kept = m_cache.get("manifests", name);
    if (kept && sha256(*kept).short_hex() == info.name.sha256) return std::string{as_text(*kept)};
  }
  check_object_size("manifest", info.key, info.size);
  const Bytes bytes = get_checked(info.key, "manifest");
  if (sha256(bytes).short_hex() != info.name.sha256) {
    throw Error(ErrorKind::damaged, fmt::format("damaged manifest {}: its bytes do not fit its name", quote(info.key)));
  }
  m_cache.put("manifests", name, bytes);
  return std::string{as_text(bytes)};
}

namespace {

// Record and object name must agree, else a renamed manifest would pass for another snapshot.
void check_name(const Manifest& manifest, const ManifestInfo& info) {
  if (manifest.record.series != info.name.series || manifest.record.cut_point != info.name.cut_point ||
      manifest.id.short_hex() != info.name.id) {
    throw Error(ErrorKind::damaged,
                fmt::format("damaged manifest {}: its content does not fit its name", quote(info.key)));
  }
}

}  // namespace

Manifest Repository::load_manifest(const ManifestInfo& info, Cached cached) {
  Manifest manifest = Manifest::parse(load_manifest_text(info, cached), info.key);
  check_requirements(manifest.requirements, Operation::read, info.key);
  check_name(manifest, info);
  return manifest;
}

std::optional<Manifest> Repository::cached_manifest(const ManifestInfo& info) {
  const auto kept = m_cache.get("manifests", fs::path{info.key}.filename().native());
  if (!kept || sha256(*kept).short_hex() != info.name.sha256) return std::nullopt;
  Manifest manifest = Manifest::parse(as_text(*kept), info.key);
  check_requirements(manifest.requirements, Operation::read, info.key);
  check_name(manifest, info);
  return manifest;
}

std::optional<Manifest> Repository::load_head(const ManifestInfo& info) {
  const std::string name = fs::path{info.key}.filename().native();
  auto bytes = m_cache.get("manifests", name);
  if (bytes && sha256(*bytes).short_hex() != info.name.sha256) bytes.reset();
  if (!bytes) bytes = m_store.get(info.key, ByteRange{0, k_head_bytes});
  if (!bytes) return std::nullopt;  // removed since the listing
  if (auto head = Manifest::parse_head(as_text(*bytes), info.key)) {
    check_name(*head, info);
    return head;
  }
  return load_manifest(info);
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
  for (const auto& info : manifests) {
    try {
      auto head = load_head(info);
      if (!head) continue;
      SnapshotInfo snapshot;
      snapshot.object = info;
      snapshot.id = head->id;
      snapshot.record = std::move(head->record);
      snapshot.facts = std::move(head->facts);
      const auto pin = pinned.find(head->id);
      snapshot.pinned = pin != pinned.end() && pin->second;
      // Two manifests of one id are one snapshot; in a listing they stand side by side.
      if (!out.empty() && out.back().id == snapshot.id) {
        if (out.back().object.stored_at < snapshot.object.stored_at) out.back() = std::move(snapshot);
        continue;
      }
      out.push_back(std::move(snapshot));
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      report(info.key, e.message());
    }
  }
  return out;
}

std::string Repository::store_manifest(const Manifest& manifest) {
  const std::string text = manifest.text();
  const std::string key =
      layout::manifest_key(manifest.record.series, manifest.record.cut_point, manifest.id, sha256(text));
  m_store.put(key, ObjectBody::from_text(text));
  m_cache.put("manifests", fs::path{key}.filename().native(), as_bytes(text));
  return key;
}

std::map<Digest, bool> Repository::pins() {
  std::map<Digest, bool> out;
  // Ascending by time within an id, so the last one stands.
  m_store.list(layout::k_pins, [&](const ObjectInfo& info) {
    if (const auto key = layout::parse_pin_key(info.key)) out[key->id] = key->pinned;
  });
  return out;
}

void Repository::set_pin(const Digest& id, bool pinned) {
  const std::string key = layout::pin_key(id, m_store.now(), pinned, random_name());
  JsonWriter text;
  text.begin_object().member("format", "cairn-pin").member("version", k_format_version);
  text.member("id", id.hex()).member("pinned", pinned).end_object().newline();
  m_store.put(key, ObjectBody::from_text(text.text()));
}

std::shared_ptr<const PackDirectory> Repository::recall(const Digest& logical_id) {
  const std::scoped_lock lock{m_mutex};
  const auto found = m_directories.find(logical_id);
  if (found == m_directories.end()) return nullptr;
  m_ages.splice(m_ages.begin(), m_ages, found->second.age);
  return found->second.directory;
}

void Repository::keep(const Digest& logical_id, std::shared_ptr<const PackDirectory> directory) {
  const std::scoped_lock lock{m_mutex};
  if (m_directories.contains(logical_id)) return;
  m_ages.push_front(logical_id);
  m_directory_bytes += directory->memory();
  m_directories.emplace(logical_id, Kept{std::move(directory), m_ages.begin()});
  while (m_directory_bytes > m_directory_limit && m_ages.size() > 1) {
    const auto oldest = m_directories.find(m_ages.back());
    m_directory_bytes -= oldest->second.directory->memory();
    m_directories.erase(oldest);
    m_ages.pop_back();
  }
}

std::shared_ptr<const PackDirectory> Repository::cached_directory(const PackRef& ref) {
  if (auto known = recall(ref.logical_id)) return known;
  // A cached directory is believed only after the same check as a fetched one.
  const auto cached = m_cache.get("directories", ref.logical_id.hex());
  if (!cached) return nullptr;
  try {
    auto directory = std::make_shared<const PackDirectory>(PackDirectory::decode(*cached));
    if (directory->logical_id() == ref.logical_id) {
      keep(ref.logical_id, directory);
      return directory;
    }
  } catch (const Error&) {
    m_reporter.info(fmt::format("the cached directory of pack {} is damaged; it is fetched again", ref.name.hex()));
  }
  return nullptr;
}

std::shared_ptr<const PackDirectory> Repository::directory(const PackRef& ref) {
  if (auto known = cached_directory(ref)) return known;
  const std::string key = layout::pack_key(ref.name);
  const auto damaged = [&](std::string_view cause) {
    return Error(ErrorKind::damaged, fmt::format("damaged pack {}: {}", quote(key), cause));
  };
  const auto bytes = m_store.get(key, ByteRange{ref.directory_offset, ref.directory_size});
  if (!bytes) throw damaged("it is missing from the store");
  if (bytes->size() != ref.directory_size) throw damaged("it is shorter than its manifest says");
  try {
    auto directory = std::make_shared<const PackDirectory>(PackDirectory::decode(*bytes));
    if (directory->logical_id() != ref.logical_id) throw damaged("its directory does not fit its manifest");
    if (directory->data_size() != ref.directory_offset - k_pack_header_size) {
      throw damaged("its directory does not fit its size");
    }
    m_cache.put("directories", ref.logical_id.hex(), *bytes);
    keep(ref.logical_id, directory);
    return directory;
  } catch (const Error& e) {
    if (e.message().starts_with("damaged pack '")) throw;
    throw damaged(e.message());
  }
}

void Repository::remember_directory(const PackRef& ref, const PackDirectory& directory) {
  keep(ref.logical_id, std::make_shared<const PackDirectory>(directory));
  m_cache.put("directories", ref.logical_id.hex(), directory.encode());
}

Bytes Repository::read_data(const PackRef& ref, std::uint64_t offset, std::uint64_t length) {
  const std::string key = layout::pack_key(ref.name);
  auto bytes = m_store.get(key, ByteRange{k_pack_header_size + offset, length});
  if (!bytes) {
    throw Error(ErrorKind::damaged, fmt::format("damaged pack {}: it is missing from the store", quote(key)));
  }
  if (bytes->size() != length) {
    throw Error(ErrorKind::damaged, fmt::format("damaged pack {}: it is shorter than its manifest says", quote(key)));
  }
  return std::move(*bytes);
}

std::vector<Repository::StoredMark> Repository::marks(const std::unordered_set<std::string>& known) {
  std::vector<ObjectInfo> listed;
  m_store.list(layout::k_marks, [&](const ObjectInfo& info) {
    if (!known.contains(info.key)) listed.push_back(info);
  });
  std::vector<StoredMark> out;
  for (auto& info : listed) {
    check_object_size("mark", info.key, info.size);
    const auto bytes = m_store.get(info.key);
    if (!bytes) continue;
    Mark mark = Mark::parse(as_text(*bytes), info.key);
    out.push_back({std::move(info), std::move(mark)});
  }
  return out;
}

std::vector<Repository::StoredPending> Repository::pending() {
  std::vector<ObjectInfo> listed;
  m_store.list(layout::k_pending, [&](const ObjectInfo& info) { listed.push_back(info); });
  std::vector<StoredPending> out;
  for (auto& info : listed) {
    check_object_size("pending record", info.key, info.size);
    // A prune may remove old ones since the listing; what nobody keeps any more keeps nothing.
    const auto bytes = m_store.get(info.key);
    if (!bytes) continue;
    PendingRecord record = PendingRecord::parse(as_text(*bytes), info.key);
    out.push_back({std::move(info), std::move(record)});
  }
  return out;
}

}  // namespace cairn
