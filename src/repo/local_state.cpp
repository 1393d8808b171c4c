#include "repo/local_state.hpp"

#include "codec/digest.hpp"
#include "repo/json_fields.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/json.hpp"
#include "util/secret.hpp"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_largest_file = 1U << 20;
constexpr std::uint64_t k_largest_drill = 64ULL << 20;
constexpr const char* k_drills = "drills";
constexpr std::string_view k_pin_format = "cairn-store-pin";
constexpr std::string_view k_revoked_format = "cairn-revoked-keys";
constexpr unsigned k_directory_mode = 0700;
constexpr unsigned k_file_mode = 0600;

// A file of our own that cannot be read is a failure of this host, not damage in a store.
template <class F>
auto reading(const fs::path& file, F read) {
  try {
    return read();
  } catch (const Error& e) {
    throw Error(ErrorKind::failed, fmt::format("unable to read {}: {}", quote(file.native()), e.message()));
  }
}

std::string list_of(const std::vector<std::string>& recipients) {
  return recipients.empty() ? "nobody" : fmt::format("{}", fmt::join(recipients, ", "));
}

}  // namespace

StorePin pin_of(const Descriptor& descriptor) {
  return {descriptor.store_id, descriptor.encryption, descriptor.recipients};
}

std::optional<std::string> difference(const StorePin& pinned, const Descriptor& descriptor) {
  if (!pinned.store_id.empty() && pinned.store_id != descriptor.store_id) {
    return fmt::format("its id is {}, and {} was known here", descriptor.store_id, pinned.store_id);
  }
  if (pinned.encryption != descriptor.encryption) {
    return fmt::format("its encryption is {}, and {} was known here", quote(descriptor.encryption),
                       quote(pinned.encryption));
  }
  if (pinned.recipients != descriptor.recipients) {
    return fmt::format("it is encrypted to {}, and to {} was known here", list_of(descriptor.recipients),
                       list_of(pinned.recipients));
  }
  return std::nullopt;
}

void check_pin(const StorePin& pinned, const Descriptor& descriptor, std::string_view store) {
  const auto found = difference(pinned, descriptor);
  if (!found) return;
  throw Error(ErrorKind::untrusted, fmt::format("unable to use store {}: {}", quote(store), *found), k_accept_hint);
}

fs::path LocalState::pin_file(const std::string& store) const {
  return m_directory / "stores" / (sha256(store).hex().substr(0, 32) + ".json");
}

void LocalState::write(const fs::path& file, std::string_view text) const {
  if (m_directory.empty()) {
    throw Error(ErrorKind::failed, "there is no place for this host's state",
                "set HOME, or CAIRN_STATE_DIR to a directory that is kept");
  }
  make_directories(m_directory, k_directory_mode);
  make_directories(file.parent_path(), k_directory_mode);
  write_file_atomic(file, as_bytes(text), k_file_mode);
}

std::optional<StorePin> LocalState::pin(const std::string& store) const {
  if (m_directory.empty()) return std::nullopt;
  const fs::path file = pin_file(store);
  const auto bytes = read_file_if_exists(file, k_largest_file);
  if (!bytes) return std::nullopt;
  return reading(file, [&] {
    const Json json = Json::parse(as_text(*bytes));
    check_format(json, k_pin_format, file.native());
    StorePin pin;
    pin.store_id = json.at("store_id").string();
    pin.encryption = json.at("encryption").string();
    for (const auto& recipient : json.at("recipients").array()) pin.recipients.push_back(recipient.string());
    return std::optional{pin};
  });
}

void LocalState::set_pin(const std::string& store, const StorePin& pin) const {
  JsonWriter to;
  to.begin_object().member("format", k_pin_format).member("version", k_format_version);
  to.member("store_b64", to_base64(as_bytes(store))).member("store_id", pin.store_id);
  to.member("encryption", pin.encryption).key("recipients").begin_array();
  for (const auto& recipient : pin.recipients) to.value(recipient);
  to.end_array().end_object().newline();
  write(pin_file(store), to.text());
}

void LocalState::forget_pin(const std::string& store) const {
  const fs::path file = pin_file(store);
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) throw_errno("remove", file.native(), errno);
}

std::optional<age::Identity> LocalState::writer_key() const {
  if (m_directory.empty()) return std::nullopt;
  const fs::path file = m_directory / "writer.key";
  auto bytes = read_file_if_exists(file, k_largest_file);
  if (!bytes) return std::nullopt;
  const auto identities = reading(file, [&] { return age::parse_identities(as_text(*bytes)); });
  wipe(*bytes);
  return identities.front();
}

age::Identity LocalState::ensure_writer_key() const {
  if (m_directory.empty()) write(m_directory, {});  // says what is wrong
  if (auto key = writer_key()) return std::move(*key);
  auto key = age::Identity::generate();
  const fs::path file = m_directory / "writer.key";
  make_directories(m_directory, k_directory_mode);
  SecretBytes line{key.text().size() + 1};
  std::copy_n(key.text().data(), key.text().size(), line.data());
  line.data()[line.size() - 1] = '\n';
  // Two runs may make one at the same time: the first that is linked into place is everybody's.
  const fs::path temporary = m_directory / (".tmp-" + random_name());
  {
    const UniqueFd fd = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, k_file_mode);
    write_all(fd.get(), line.bytes(), temporary);
    sync_file(fd.get(), temporary);
  }
  const bool linked = ::link(temporary.c_str(), file.c_str()) == 0;
  const int error = errno;
  ::unlink(temporary.c_str());
  if (linked) {
    sync_directory(m_directory);
    return key;
  }
  if (error != EEXIST) throw_errno("create", file.native(), error);
  return writer_key().value();
}

std::optional<Time> LocalState::writer_key_since() const {
  if (m_directory.empty()) return std::nullopt;
  struct stat st {};
  if (::stat((m_directory / "writer.key").c_str(), &st) != 0) return std::nullopt;
  return Time{std::chrono::seconds{st.st_mtim.tv_sec} + Nanoseconds{st.st_mtim.tv_nsec}};
}

std::uint64_t LocalState::last_sequence(const std::string& store_id, const std::string& series) const {
  if (m_directory.empty()) return 0;
  const auto bytes = read_file_if_exists(m_directory / "sequences" / (store_id + "." + series), k_largest_file);
  if (!bytes) return 0;
  std::uint64_t number = 0;
  const auto text = as_text(*bytes);
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void LocalState::set_last_sequence(const std::string& store_id, const std::string& series,
                                   std::uint64_t sequence) const {
  write(m_directory / "sequences" / (store_id + "." + series), fmt::format("{}\n", sequence));
}

bool LocalState::first_told_open(const std::string& store_id) const {
  if (m_directory.empty()) return true;
  const fs::path file = m_directory / "told" / store_id;
  try {
    if (read_file_if_exists(file, k_largest_file)) return false;
    write(file, "open to others\n");
  } catch (const Error&) {
    return true;
  }
  return true;
}

std::optional<Digest> LocalState::recovery_kept(const std::string& store_id) const {
  if (m_directory.empty()) return std::nullopt;
  const auto text = read_file_if_exists(m_directory / "recover" / store_id, k_largest_file);
  return text ? Digest::parse(as_text(*text).substr(0, 64)) : std::nullopt;
}

void LocalState::set_recovery_kept(const std::string& store_id, const Digest& kept) const {
  write(m_directory / "recover" / store_id, kept.hex() + "\n");
}

fs::path LocalState::own_packs_file(const std::string& store_id) const {
  return m_directory.empty() ? fs::path{} : m_directory / "packs" / store_id;
}

void LocalState::keep_drill(const std::string& store_id, const std::string& key, std::string_view text) const {
  write(drill_file(store_id, key), text);
}

std::vector<std::pair<std::string, std::string>> LocalState::kept_drills(const std::string& store_id) const {
  std::vector<std::pair<std::string, std::string>> out;
  if (m_directory.empty()) return out;
  std::error_code ignored;
  for (fs::directory_iterator at{m_directory / k_drills / store_id, ignored}, end; !ignored && at != end;
       at.increment(ignored)) {
    std::string key = layout::k_drills + at->path().filename().native();
    std::replace(key.begin(), key.end(), ',', '/');
    if (!layout::parse_drill_key(key)) continue;
    any_failure_of([&] {
      const auto text = read_file_if_exists(at->path(), k_largest_drill);
      if (text) out.emplace_back(std::move(key), std::string{as_text(*text)});
    });
  }
  std::sort(out.begin(), out.end());
  return out;
}

void LocalState::drop_drill(const std::string& store_id, const std::string& key) const {
  ::unlink(drill_file(store_id, key).c_str());
}

// A series has no comma.
fs::path LocalState::drill_file(const std::string& store_id, const std::string& key) const {
  std::string name = key.substr(std::string_view{layout::k_drills}.size());
  std::replace(name.begin(), name.end(), '/', ',');
  return m_directory / k_drills / store_id / name;
}

std::vector<RevokedKey> LocalState::revoked_keys() const {
  std::vector<RevokedKey> out;
  if (m_directory.empty()) return out;
  const fs::path file = m_directory / "revoked.json";
  const auto bytes = read_file_if_exists(file, k_largest_file);
  if (!bytes) return out;
  return reading(file, [&] {
    const Json json = Json::parse(as_text(*bytes));
    check_format(json, k_revoked_format, file.native());
    for (const auto& item : json.at("keys").array()) {
      RevokedKey key{item.at("key").string(), std::nullopt};
      if (!item.at("since").is_null()) key.since = time_of(item.at("since"));
      out.push_back(std::move(key));
    }
    return out;
  });
}

void LocalState::revoke_key(const RevokedKey& key) const {
  auto keys = revoked_keys();
  std::erase_if(keys, [&](const RevokedKey& other) { return other.key == key.key; });
  keys.push_back(key);
  JsonWriter to;
  to.begin_object().member("format", k_revoked_format).member("version", k_format_version);
  to.key("keys").begin_array();
  for (const auto& each : keys) {
    to.begin_object().member("key", each.key).key("since");
    each.since ? to.value(format_time(*each.since)) : to.null();
    to.end_object();
  }
  to.end_array().end_object().newline();
  write(m_directory / "revoked.json", to.text());
}

}  // namespace cairn
