#include "cli/config.hpp"

#include "cli/edit_distance.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/exposed_file.hpp"
#include "util/secret_text.hpp"

#include <algorithm>
#include <set>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

// Far more than any configuration; a wrong file (an image, /dev/zero) ends here.
constexpr std::uint64_t k_largest_file = 4 << 20;

// The file says which programs are run. Root's is written by root alone.
void refuse_if_exposed(const fs::path& file) {
  if (::geteuid() != 0) return;
  const auto exposed = who_else_changes(file, 0);
  if (!exposed) return;
  throw Error(
      ErrorKind::usage,
      fmt::format("unable to use {} as root: {}, and it says which programs root runs", quote(file.native()), *exposed),
      "have it and the directories above it belong to root and be written by root alone, or put it on a "
      "read-only mount; --config or CAIRN_CONFIG name another one");
}

std::optional<Config> read_config(const fs::path& file) {
  refuse_if_exposed(file);
  std::optional<Bytes> bytes;
  try {
    bytes = read_file_if_exists(file, k_largest_file);
  } catch (const Error& error) {
    // One that is there and cannot be read is not passed over: the next one may mean another store.
    throw Error(ErrorKind::usage, error.message(), "--config FILE or CAIRN_CONFIG name another file");
  }
  if (!bytes) return std::nullopt;
  Config config = parse_config(as_text(*bytes), file.native());
  config.file = file;
  return config;
}

Config read_named_config(const std::string& file, const char* named_by) {
  refuse_secret(file, named_by);
  if (auto config = read_config(file)) return std::move(*config);
  throw Error(ErrorKind::usage, fmt::format("unable to read {}: no such file", quote(file)),
              fmt::format("{} names it", named_by));
}

Error no_such_source(const Config& config, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& entry : config.sources) known.push_back(entry.first);
  for (const auto& entry : config.groups) known.push_back(entry.first);
  if (name == "-") {
    return {ErrorKind::usage, "standard input is not read: '-' is no source in the configuration",
            "a command, whose output is taken, stands after '--': cairn snapshot --series NAME -- COMMAND"};
  }
  const auto near = closest(name, known);
  return {ErrorKind::usage, fmt::format("no source {} in the configuration", quote_given(name)),
          near ? fmt::format("did you mean {}?", quote(*near))
               : fmt::format("to capture a file or directory of that name, write {}", quote_given("./" + name))};
}

// Sources by groups, each source once.
class Selection {
 public:
  explicit Selection(const Config& config) : m_config(config) {}
  // group: empty for sources that are named alone, which go together where they follow one another.
  void add(const std::string& group, const std::vector<std::string>& names) {
    if (m_selected.empty() || !group.empty() || !m_selected.back().group.empty()) m_selected.push_back({group, {}});
    for (const auto& name : names) {
      const SourceConfig* const source = &m_config.sources.at(name);
      if (m_seen.insert(source).second) m_selected.back().sources.push_back(source);
    }
  }
  std::vector<SelectedSources> take() {
    std::erase_if(m_selected, [](const SelectedSources& together) { return together.sources.empty(); });
    return std::move(m_selected);
  }

 private:
  const Config& m_config;
  std::set<const SourceConfig*> m_seen;
  std::vector<SelectedSources> m_selected;
};

}  // namespace

StoreConfig Config::store(const std::string& name_or_url) const {
  const auto found = stores.find(name_or_url);
  if (found == stores.end()) {
    // Of an address that is wrong more can be said, without the secret in it.
    if (name_or_url.find("://") == std::string::npos) {
      refuse_secret(name_or_url, "what is given as a store", "a configured name, a directory or s3://bucket/prefix");
    }
    StoreConfig other;
    other.address.url = name_or_url;
    return other;
  }
  return found->second;
}

// Two never have the same.
const SourceConfig* Config::source_of(std::string_view series) const {
  for (const auto& [name, source] : sources) {
    if (source.series == series) return &source;
  }
  return nullptr;
}

const RetentionPolicy& Config::retention_of(std::string_view series) const {
  const SourceConfig* source = source_of(series);
  return source != nullptr && source->retention ? *source->retention : retention;
}

std::optional<Nanoseconds> Config::max_age_of(std::string_view series) const {
  const SourceConfig* source = source_of(series);
  return source != nullptr ? source->max_age : std::nullopt;
}

std::vector<const SourceConfig*> Config::select_sources(const std::vector<std::string>& names) const {
  std::vector<const SourceConfig*> selected;
  for (const auto& together : select_groups(names)) {
    selected.insert(selected.end(), together.sources.begin(), together.sources.end());
  }
  return selected;
}

std::vector<SelectedSources> Config::select_groups(const std::vector<std::string>& names) const {
  Selection selection{*this};
  for (const auto& name : names) {
    if (sources.contains(name)) {
      selection.add({}, {name});
    } else if (const auto group = groups.find(name); group != groups.end()) {
      selection.add(name, group->second.sources);
    } else {
      throw no_such_source(*this, name);
    }
  }
  return selection.take();
}

std::vector<SelectedSources> Config::all_groups() const {
  Selection selection{*this};
  for (const auto& [name, group] : groups) selection.add(name, group.sources);
  for (const auto& [name, source] : sources) selection.add({}, {name});
  return selection.take();
}

Config load_config(const std::optional<std::string>& option, const EnvironmentLookup& environment,
                   const fs::path& system_file) {
  if (option) return read_named_config(*option, "--config");
  if (const auto named = nonempty(environment, "CAIRN_CONFIG")) return read_named_config(*named, "CAIRN_CONFIG");

  std::vector<fs::path> candidates;
  const auto xdg = nonempty(environment, "XDG_CONFIG_HOME");
  const auto home = nonempty(environment, "HOME");
  // The XDG specification ignores relative paths.
  if (xdg && xdg->front() == '/') {
    candidates.push_back(fs::path{*xdg} / "cairn/cairn.toml");
  } else if (home && home->front() == '/') {
    candidates.push_back(fs::path{*home} / ".config/cairn/cairn.toml");
  }
  candidates.push_back(system_file);
  for (const auto& file : candidates) {
    if (auto config = read_config(file)) return std::move(*config);
  }
  return {};
}

}  // namespace cairn
