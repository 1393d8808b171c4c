#include "repo/descriptor.hpp"

#include "codec/age/age.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::array<std::string_view, 12> k_members{"format",         "version",    "requires_read", "requires_write",
                                                     "requires_prune", "generation", "store_id",      "created",
                                                     "encryption",     "recipients", "create_only",   "permissions"};
constexpr std::string_view k_owner = "owner";
constexpr std::string_view k_group = "group";

// A later program may know more of them: then nobody gets more than the least.
void read_permissions(const Json& json, Descriptor& to) {
  const auto* const value = json.find("permissions");
  if (value == nullptr) return;
  const std::string_view text = value->is_string() ? std::string_view{value->string()} : std::string_view{};
  to.permissions = text == k_group ? Permissions::group : Permissions::owner;
  if (text != k_group && text != k_owner) to.unknown_members.emplace_back("permissions");
}

// An unknown encryption may have recipients of a kind that is not known either.
void check_recipients(const Descriptor& descriptor) {
  const auto& list = descriptor.recipients;
  if (descriptor.encryption == k_encryption_none) {
    if (!list.empty()) throw Error(ErrorKind::damaged, "recipients of what is not encrypted");
  } else if (descriptor.encryption == k_encryption_age) {
    if (list.empty()) throw Error(ErrorKind::damaged, "encrypted, but to nobody");
    for (const auto& recipient : list) {
      try {
        age::Recipient::parse(recipient);
      } catch (const Error&) {
        throw Error(ErrorKind::damaged, "a recipient is not an age recipient");
      }
    }
    if (std::adjacent_find(list.begin(), list.end(), std::greater_equal<>{}) != list.end()) {
      throw Error(ErrorKind::damaged, "recipients out of order");
    }
  }
}

}  // namespace

std::string Descriptor::text() const {
  JsonWriter to;
  to.begin_object().member("format", "cairn-store").member("version", k_format_version);
  write_requirements(to, requirements);
  to.member("generation", generation).member("store_id", store_id).member("created", format_time(created));
  to.member("encryption", encryption).key("recipients").begin_array();
  for (const auto& recipient : recipients) to.value(recipient);
  to.end_array().member("create_only", create_only);
  if (permissions != Permissions::umask) {
    to.member("permissions", permissions == Permissions::group ? k_group : k_owner);
  }
  to.end_object().newline();
  return std::move(to).text();
}

Descriptor Descriptor::parse(std::string_view text, std::string_view what) {
  Descriptor d;
  try {
    const Json json = Json::parse(text);
    check_format(json, "cairn-store", what);
    d.requirements = parse_requirements(json);
    d.encryption = json.at("encryption").string();
    d.generation = json.at("generation").u64();
    d.store_id = json.at("store_id").string();
    const auto created = parse_time_exact(json.at("created").string());
    if (!created || d.store_id.size() != 32 || !is_hex(d.store_id)) {
      throw Error(ErrorKind::damaged, "invalid store id or time");
    }
    d.created = *created;
    for (const auto& recipient : json.at("recipients").array()) d.recipients.push_back(recipient.string());
    check_recipients(d);
    d.create_only = json.at("create_only").boolean();
    read_permissions(json, d);
    for (const auto& [name, value] : json.object()) {
      if (std::find(k_members.begin(), k_members.end(), name) == k_members.end()) d.unknown_members.push_back(name);
    }
    return d;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::damaged) throw;
    // A misfit may come from a feature or an encryption of a later program: then it is not damage.
    d.require_readable(what);
    throw Error(ErrorKind::damaged, fmt::format("damaged store descriptor {}: {}", quote(what), e.message()), e.hint());
  }
}

void Descriptor::require_readable(std::string_view what) const {
  check_requirements(requirements, Operation::read, what);
  if (encryption == k_encryption_none || encryption == k_encryption_age) return;
  throw Error(ErrorKind::failed,
              fmt::format("unable to open store {}: it is encrypted with {}, which this program does not know",
                          quote(what), quote(encryption)),
              "use a newer version of cairn");
}

void tell_store(ObjectStore& store, const Descriptor& descriptor) {
  store.set_create_only(descriptor.create_only);
  store.set_permissions(descriptor.permissions);
}

}  // namespace cairn
