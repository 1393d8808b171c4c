#include "cli/setup_config.hpp"

#include "store/store_url.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/shell_word.hpp"
#include "util/utf8.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <string_view>
#include <variant>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::array k_rhythms{Rhythm{"hourly", "hourly", "17 * * * *", "3h"},
                               Rhythm{"daily", "daily", "17 1 * * *", "26h"},
                               Rhythm{"weekly", "weekly", "17 1 * * 0", "8d"}};

// A basic string of TOML.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string toml_strings(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ", ") + toml_string(text);
  return "[" + out + "]";
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// As a series may be called (see check_series()).
std::string name_from(std::string_view text) {
  std::string out;
  for (const char c : text) out += is_name_character(c) ? c : '-';
  while (!out.empty() && (out.front() == '.' || out.front() == '-' || out.front() == '_')) out.erase(0, 1);
  out.resize(std::min<std::size_t>(out.size(), 48));
  const bool like_id = out.size() >= 8 && std::all_of(out.begin(), out.end(), [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
                       });
  if (out.empty() || out == "latest" || like_id) out = "source-" + out;
  while (out.ends_with('-')) out.pop_back();
  return out;
}

template <class Named>
std::string free_name(const std::string& wanted, const std::vector<Named>& taken) {
  std::set<std::string> names;
  for (const auto& each : taken) names.insert(each.name);
  std::string name = wanted;
  for (int number = 2; names.contains(name); ++number) name = fmt::format("{}-{}", wanted, number);
  return name;
}

bool is_database(const fs::path& path) {
  constexpr std::string_view k_magic{"SQLite format 3\0", 16};
  std::array<char, 16> begin{};
  std::ifstream in{path, std::ios::binary};
  return in.read(begin.data(), begin.size()) && std::string_view{begin.data(), begin.size()} == k_magic;
}

bool is_below(const fs::path& path, std::string_view directory) {
  return path.native() == directory || path.native().starts_with(std::string{directory} + "/");
}

}  // namespace

const Rhythm& rhythm_of(const std::string& word) {
  const auto found =
      std::find_if(k_rhythms.begin(), k_rhythms.end(), [&](const Rhythm& rhythm) { return word == rhythm.name; });
  if (found != k_rhythms.end()) return *found;
  throw Error(ErrorKind::usage, fmt::format("invalid rhythm {}", quote_given(word)), "it is hourly, daily or weekly");
}

SetupSource source_of_path(const std::string& path, const std::vector<SetupSource>& taken) {
  std::error_code error;
  SetupSource out;
  out.path = fs::absolute(path, error).lexically_normal();
  if (!out.path.has_filename()) out.path = out.path.parent_path();
  const auto status = fs::status(out.path, error);
  if (!fs::exists(status)) {
    throw Error(ErrorKind::usage, fmt::format("there is no {}", quote(out.path.native())),
                "a source is a directory or a file that is there; a program's output: -- COMMAND ARG...");
  }
  if (!is_valid_utf8(out.path.native())) {
    throw Error(ErrorKind::usage,
                fmt::format("{} is not UTF-8, and cannot be in a configuration", quote(out.path.native())));
  }
  out.type = fs::is_regular_file(status) && is_database(out.path) ? "sqlite" : "directory";
  const std::string last = out.path.filename().native();
  out.name = free_name(name_from(last.empty() ? "root" : last), taken);
  return out;
}

SetupSource source_of_command(const std::vector<std::string>& command, const std::vector<SetupSource>& taken) {
  SetupSource out;
  out.type = "command";
  out.command = command;
  out.name = free_name(name_from(fs::path{command.front()}.filename().native()), taken);
  return out;
}

SetupStore store_of(const std::string& address, const std::vector<SetupStore>& taken) {
  const StoreUrl url = parse_store_url(address);
  if (const auto* path = std::get_if<fs::path>(&url)) {
    fs::path whole = fs::absolute(*path).lexically_normal();
    if (!whole.has_filename()) whole = whole.parent_path();
    return {free_name(std::string{"local"}, taken), whole.native()};
  }
  return {free_name(std::string{"offsite"}, taken), address};
}

std::string config_text(const SetupAnswers& answers) {
  std::string out = fmt::format(
      "# Made by cairn setup; every key is described in cairn.toml(5). Keys for buckets are not in here: they come "
      "from\n"
      "# the environment (AWS_ACCESS_KEY_ID ...) or ~/.aws/credentials.\n"
      "default_store = {}\n",
      toml_string(answers.stores.front().name));
  if (!answers.signing_key.empty()) {
    out += fmt::format("signing_key = {}  # snapshots are signed with it\n", toml_string(answers.signing_key.native()));
  }
  if (!answers.identity.empty()) {
    out += fmt::format("identity = {}  # opens what is encrypted: keep a copy where it outlives this host\n",
                       toml_string(answers.identity.native()));
  }
  for (const auto& store : answers.stores) {
    out += fmt::format("\n[stores.{}]\nurl = {}\n", store.name, toml_string(store.url));
    // Keys of a host that is captured had better not delete from a bucket.
    out += store.url.starts_with('/') ? "prune = true  # cairn run removes what retention no longer keeps\n"
                                      : "#prune = true  # cairn run removes what retention no longer keeps; or another "
                                        "host does, whose keys may delete\n";
    if (!answers.recipients.empty()) out += fmt::format("recipients = {}\n", toml_strings(answers.recipients));
    if (!answers.public_key.empty()) {
      out += fmt::format("trusted_keys = [{{ key = {}, series = \"*\" }}]\n", toml_string(answers.public_key));
    }
  }
  std::vector<std::string> others;
  for (std::size_t i = 1; i < answers.stores.size(); ++i) others.push_back(answers.stores[i].name);
  for (const auto& source : answers.sources) {
    out += fmt::format("\n[sources.{}]\ntype = \"{}\"\n", toml_string(source.name), source.type);
    if (source.command.empty()) {
      out += fmt::format("path = {}\n", toml_string(source.path.native()));
    } else {
      out += fmt::format("command = {}\n", toml_strings(source.command));
    }
    if (!others.empty()) out += fmt::format("push_to = {}\n", toml_strings(others));
    out += fmt::format("max_age = \"{}\"  # status: stale beyond it\n", answers.rhythm.max_age);
    out += "drill_every = \"7d\"  # cairn run restores it for rehearsal, and checks what comes out\n";
  }
  out +=
      "\n[retention]\nkeep_last = 24\nkeep_daily = 14\nkeep_weekly = 8\nkeep_monthly = 12\n"
      "\n#[notify]                       # who is told of failures, recoveries, and what became stale\n"
      "#mail = [\"ops@example.org\"]\n";
  return out;
}

std::string timer_drop_in(const SetupAnswers& answers) {
  if (std::string_view{answers.rhythm.name} == "hourly") return {};  // as it is shipped
  return fmt::format("# Made by cairn setup.\n[Timer]\nOnCalendar=\nOnCalendar={}\n", answers.rhythm.calendar);
}

std::string service_drop_in(const SetupAnswers& answers) {
  std::vector<std::string> places;
  const auto add = [&](const fs::path& place) {
    for (const char* shipped : {"/var/lib", "/srv"}) {
      if (is_below(place, shipped)) return;
    }
    std::string text;
    for (const char c : place.native()) {
      if (c == '%') text += '%';
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    if (std::find(places.begin(), places.end(), text) == places.end()) places.push_back(std::move(text));
  };
  for (const auto& store : answers.stores) {
    if (store.url.starts_with('/')) add(store.url);
  }
  for (const auto& source : answers.sources) {
    if (source.type == "sqlite") add(source.path.parent_path());
  }
  if (places.empty()) return {};
  std::string out =
      "# Made by cairn setup: a store lies there, or a database, whose readers take part in its locks.\n[Service]\n";
  for (const auto& place : places) out += fmt::format("ReadWritePaths=\"-{}\"\n", place);
  return out;
}

std::string cron_line(const SetupAnswers& answers, const fs::path& config, bool is_root) {
  std::string option;
  if (!is_root || config != "/etc/cairn/cairn.toml") {
    option = " --config ";
    // A percent sign ends the command: crontab(5).
    for (const char c : shell_word(config.native())) option += c == '%' ? std::string{"\\%"} : std::string{c};
  }
  return fmt::format("{} {}cairn --quiet{} run", answers.rhythm.cron, is_root ? "root " : "", option);
}

}  // namespace cairn
