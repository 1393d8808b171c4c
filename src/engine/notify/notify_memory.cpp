#include "engine/notify/notify_memory.hpp"

#include "codec/digest.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <cerrno>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_largest_file = 1U << 16;
constexpr std::string_view k_format = "cairn-notify-state";
constexpr std::uint64_t k_version = 1;

Time time_member(const Json& json) {
  const auto time = parse_time(json.string());
  if (!time) throw Error(ErrorKind::damaged, "a time in it is none");
  return *time;
}

KnownState parse_state(std::string_view text) {
  const Json json = Json::parse(text);
  if (json.at("format").string() != k_format || json.at("version").u64() != k_version) {
    throw Error(ErrorKind::damaged, "it is of another format");
  }
  KnownState state;
  const std::string& condition = json.at("condition").string();
  if (condition == condition_name(Condition::failed)) {
    state.condition = Condition::failed;
  } else if (condition == condition_name(Condition::stale)) {
    state.condition = Condition::stale;
  } else {
    throw Error(ErrorKind::damaged, "the condition in it is unknown");
  }
  for (const auto& each : json.at("told_as").array()) {
    const std::uint64_t status = each.u64();
    if (status > 255) throw Error(ErrorKind::damaged, "an exit status in it is none");
    state.told_as.push_back(ExitStatus{static_cast<int>(status)});
  }
  state.since = time_member(json.at("since"));
  if (!json.at("told").is_null()) state.told = time_member(json.at("told"));
  return state;
}

}  // namespace

fs::path NotifyMemory::file_of(const std::string& about) const {
  return m_directory / (sha256(about).hex().substr(0, 32) + ".json");
}

KnownState NotifyMemory::known(const std::string& about) const {
  if (m_directory.empty()) return {};
  const fs::path file = file_of(about);
  const auto bytes = read_file_if_exists(file, k_largest_file);
  if (!bytes) return {};
  try {
    return parse_state(as_text(*bytes));
  } catch (const Error& e) {
    throw Error(ErrorKind::failed, fmt::format("unable to read {}: {}", quote(file.native()), e.message()));
  }
}

void NotifyMemory::set(const std::string& about, const KnownState& state) const {
  if (m_directory.empty()) {
    throw Error(ErrorKind::failed, "there is no place for this host's state",
                "set HOME, or CAIRN_STATE_DIR to a directory that is kept");
  }
  const fs::path file = file_of(about);
  if (state.condition == Condition::well) {
    if (::unlink(file.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) throw_errno("remove", file.native(), errno);
    return;
  }
  JsonWriter to;
  to.begin_object().member("format", k_format).member("version", k_version);
  to.member("about", terminal_safe(about)).member("condition", condition_name(state.condition));
  to.member("since", format_time(state.since)).key("told");
  state.told ? to.value(format_time(*state.told)) : to.null();
  to.key("told_as").begin_array();
  for (const ExitStatus status : state.told_as) to.value(to_int(status));
  to.end_array().end_object().newline();
  make_directories(m_directory, 0700);
  write_file_atomic(file, as_bytes(to.text()), 0600);
}

}  // namespace cairn
