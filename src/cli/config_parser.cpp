// The keys of cairn.toml, one function a table. The search for the file and questions to the result: config.cpp.
#include "cli/config.hpp"
#include "cli/config_notify.hpp"
#include "cli/toml_table.hpp"
#include "codec/age/keys.hpp"
#include "codec/minisign.hpp"
#include "engine/choose/reference.hpp"
#include "store/store_url.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

namespace cairn {

namespace {

// Of a store, a source or a group: what can be typed as an operand and is neither path, URL nor option.
void check_name(const TomlTable& table, const std::string& name, const char* what) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  const bool valid =
      !name.empty() && name.size() <= 64 && alnum(name.front()) &&
      std::all_of(name.begin(), name.end(), [&](char c) { return alnum(c) || c == '.' || c == '_' || c == '-'; });
  if (!valid) {
    table.fail(fmt::format("invalid {} name {}", what, quote(name)),
               "a name is a letter or digit, then up to 63 letters, digits, '.', '_' or '-'");
  }
}

void check_unique(const TomlTable& table, const char* key, const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const auto& name : names) {
    if (!seen.insert(name).second)
      table.fail(key, fmt::format("'{}' names {} twice", key, quote_given(without_secrets(name))));
  }
}

template <class Map>
void check_known(const TomlTable& table, const char* key, const std::string& name, const Map& known, const char* what) {
  if (!known.contains(name)) {
    // An address where a name belongs.
    const std::string shown = without_secrets(name);
    table.fail(key, fmt::format("'{}' names {}, which is no configured {}", key, quote_given(shown), what),
               looks_like_secret(shown)
                   ? std::string{}
                   : fmt::format("add [{}s.{}], or name one of those there are", what, terminal_safe(shown)));
  }
}

RetentionPolicy read_retention(const TomlTable& table) {
  table.allow_keys("a retention table", {"keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly",
                                         "keep_yearly", "keep_within", "minimum"});
  RetentionPolicy policy;
  policy.keep_last = table.count("keep_last", 0);
  policy.keep_hourly = table.count("keep_hourly", 0);
  policy.keep_daily = table.count("keep_daily", 0);
  policy.keep_weekly = table.count("keep_weekly", 0);
  policy.keep_monthly = table.count("keep_monthly", 0);
  policy.keep_yearly = table.count("keep_yearly", 0);
  policy.keep_within = table.converted("keep_within", "a time",
                                       [](const std::string& text) { return std::optional{parse_keep_within(text)}; });
  policy.minimum = table.count("minimum", 1).value_or(policy.minimum);
  return policy;
}

std::vector<std::string> read_recipients(const TomlTable& table) {
  auto recipients = table.texts("recipients").value_or(std::vector<std::string>{});
  for (const auto& recipient : recipients) {
    try {
      age::Recipient::parse(recipient);
    } catch (const Error& e) {
      // Not repeated: it may be a secret key, given by mistake.
      table.fail("recipients", e.message(), "a recipient is the public key that age-keygen prints: age1...");
    }
  }
  check_unique(table, "recipients", recipients);
  std::sort(recipients.begin(), recipients.end());
  return recipients;
}

// As text that equal keys have equal.
std::string read_key(const TomlTable& entry) {
  const auto key = entry.text("key");
  if (!key) entry.fail("key", "a key needs its 'key', a minisign public key: RW...");
  try {
    return minisign::PublicKey::parse(*key).text();
  } catch (const Error& e) {
    entry.fail("key", e.message(), "a key is the minisign public key: RW...");
  }
}

std::vector<TrustedKey> read_trusted_keys(const TomlTable& table) {
  std::vector<TrustedKey> keys;
  for (const auto& entry : table.tables("trusted_keys")) {
    entry.allow_keys("a trusted key", {"key", "series"});
    keys.push_back({read_key(entry), entry.text("series").value_or("*")});
  }
  return keys;
}

std::vector<RevokedKey> read_revoked_keys(const TomlTable& table) {
  std::vector<RevokedKey> keys;
  for (const auto& entry : table.tables("revoked_keys")) {
    entry.allow_keys("a revoked key", {"key", "since"});
    keys.push_back({read_key(entry), entry.converted("since", "a time, for example \"2026-11-21T03:24:10Z\"",
                                                     [](const std::string& text) { return parse_time(text); })});
  }
  return keys;
}

StoreConfig read_store(const std::string& name, const TomlTable& table) {
  check_name(table, name, "store");
  table.allow_keys("a store", {"url", "endpoint", "region", "style", "profile", "ca_file", "store_id", "recipients",
                               "trusted_keys", "revoked_keys", "prune"});
  StoreConfig store;
  store.name = name;
  const auto url = table.text("url");
  if (!url) table.fail(fmt::format("store {} has no 'url'", quote(name)));
  store.address.url = *url;
  const auto parsed = table.relocate("url", [&] { return parse_store_url(*url); });
  const auto* directory = std::get_if<fs::path>(&parsed);
  if (directory && directory->is_relative()) table.fail("url", "the path in 'url' must be absolute");

  store.address.endpoint = table.text("endpoint");
  store.address.region = table.text("region");
  store.address.style = table.text("style");
  store.address.profile = table.text("profile");
  if (const auto file = table.absolute_path("ca_file")) store.address.ca_file = file->native();
  if (directory) {
    for (const auto& [key, given] :
         {std::pair{"endpoint", store.address.endpoint.has_value()},
          std::pair{"region", store.address.region.has_value()}, std::pair{"style", store.address.style.has_value()},
          std::pair{"profile", store.address.profile.has_value()},
          std::pair{"ca_file", store.address.ca_file.has_value()}}) {
      if (given) table.fail(key, fmt::format("'{}' is for s3:// stores only, and {} is a directory", key, quote(name)));
    }
  }
  if (store.address.style && *store.address.style != "auto" && *store.address.style != "path" &&
      *store.address.style != "virtual") {
    table.fail("style", "'style' must be \"auto\", \"path\" or \"virtual\"");
  }
  store.store_id = table.text("store_id");
  if (store.store_id && (store.store_id->size() != 32 || !is_hex(*store.store_id))) {
    table.fail("store_id", "'store_id' must be the 32 hexadecimal digits that cairn init printed");
  }
  store.recipients = read_recipients(table);
  store.revoked_keys = read_revoked_keys(table);
  store.trusted_keys = read_trusted_keys(table);
  store.prune = table.boolean("prune").value_or(false);
  return store;
}

// otherwise: where the table says nothing.
std::optional<VerifyLevel> read_verify(const TomlTable& table, std::optional<VerifyLevel> otherwise) {
  using Choice = std::optional<std::optional<VerifyLevel>>;
  const auto choice =
      table.converted("verify", "\"quick\", \"sample\" or \"none\"", [](const std::string& text) -> Choice {
        if (text == "quick") return Choice{VerifyLevel::quick};
        if (text == "sample") return Choice{VerifyLevel::sample};
        if (text == "none") return Choice{std::in_place, std::nullopt};
        return std::nullopt;
      });
  return choice.value_or(otherwise);
}

// The four keys of hooks and their timeout, which is by default that of `general`.
Hooks read_hooks(const TomlTable& table, const Hooks& general) {
  // Long enough for any program; what is longer cannot be counted.
  constexpr std::chrono::days k_longest{365};
  Hooks hooks;
  hooks.before = table.programs("before").value_or(Hooks::List{});
  hooks.after = table.programs("after").value_or(Hooks::List{});
  hooks.failed = table.programs("failed").value_or(Hooks::List{});
  hooks.finally = table.programs("finally").value_or(Hooks::List{});
  const auto timeout = table.converted("hook_timeout", "a time above zero and of at most a year, for example \"10m\"",
                                       [&](const std::string& text) -> std::optional<Nanoseconds> {
                                         const auto time = parse_duration(text);
                                         if (!time || *time <= Nanoseconds{0} || *time > k_longest) return std::nullopt;
                                         return *time;
                                       });
  hooks.timeout = timeout.value_or(general.timeout);
  return hooks;
}

// How the restores of a source are rehearsed: its own keys, and its table "drill".
DrillConfig read_drill(const TomlTable& source) {
  const auto time = [](const TomlTable& table, const char* key) {
    return table.converted(key, "a time above zero, for example \"5m\"",
                           [](const std::string& text) -> std::optional<Nanoseconds> {
                             const auto duration = parse_duration(text);
                             if (!duration || *duration <= Nanoseconds{0}) return std::nullopt;
                             return *duration;
                           });
  };
  DrillConfig drill;
  drill.max_recovery_time = time(source, "max_recovery_time");
  drill.every = time(source, "drill_every");
  const auto table = source.table("drill");
  if (!table) return drill;
  table->allow_keys("a drill table", {"max_row_drop", "max_size_drop", "timeout", "checks"});
  const auto share = [&](const char* key, double& to) {
    to = table->converted(key, "a percentage from \"0%\" to \"100%\"", parse_percentage).value_or(to);
  };
  share("max_row_drop", drill.limits.max_row_drop);
  share("max_size_drop", drill.limits.max_size_drop);
  drill.timeout = time(*table, "timeout").value_or(drill.timeout);
  for (const auto& entry : table->tables("checks")) {
    entry.allow_keys("a check of a drill", {"command", "output", "status"});
    DrillCommand check;
    check.argv = entry.texts("command").value_or(std::vector<std::string>{});
    if (check.argv.empty() || check.argv.front().empty()) {
      entry.fail("command", "a check needs its 'command', a list of arguments");
    }
    check.output = entry.text("output");
    const auto status = entry.count("status", 0);
    if (status && *status > 255) entry.fail("status", "'status' must be an exit status from 0 to 255");
    check.status = static_cast<int>(status.value_or(0));
    drill.checks.push_back(std::move(check));
  }
  return drill;
}

void read_guard_keys(const TomlTable& table, SizeGuard& guard) {
  guard.min_files = table.count("min_files", 0).value_or(0);
  guard.min_size = table.size("min_size").value_or(0);
  guard.max_drop = table.converted("max_drop", "a percentage from \"0%\" to \"100%\"", parse_percentage);
  guard.allow_empty = table.boolean("allow_empty").value_or(false);
}

void read_database_keys(const TomlTable& table, SourceConfig& source) {
  const auto time = [&](const char* key) {
    return table.converted(key, "a time, for example \"30s\"",
                           [](const std::string& text) -> std::optional<std::chrono::milliseconds> {
                             const auto duration = parse_duration(text);
                             // SQLite counts milliseconds in an int.
                             if (!duration || *duration > std::chrono::hours{24 * 24}) return std::nullopt;
                             return std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
                           });
  };
  source.busy_timeout = time("busy_timeout");
  source.lock_budget = time("lock_budget");
  source.assume_local = table.boolean("assume_local").value_or(false);
}

void read_directory_keys(const TomlTable& table, SourceConfig& source) {
  source.exclude = table.texts("exclude").value_or(std::vector<std::string>{});
  source.include = table.texts("include").value_or(std::vector<std::string>{});
  source.one_file_system = table.boolean("one_file_system").value_or(false);
  source.exclude_caches = table.boolean("exclude_caches").value_or(false);
  source.reread = table.boolean("reread").value_or(false);
}

// A name, and not NAME=value: what is in this file is not secret.
void check_variable(const TomlTable& table, const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const bool valid = letter(name.front()) &&
                     std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  if (!valid) {
    table.fail("env", fmt::format("'env' has {}, which is no name of a variable", quote_given(name)),
               "env = [\"AWS_SECRET_ACCESS_KEY\"] lets the command inherit it");
  }
}

void read_command_keys(const TomlTable& table, SourceConfig& source) {
  auto stages = table.pipeline("command");
  if (!stages) table.fail(fmt::format("source {} of type \"command\" has no 'command'", quote(source.name)));
  source.stages = std::move(*stages);
  source.env = table.texts("env").value_or(std::vector<std::string>{});
  for (const auto& name : source.env) check_variable(table, name);
  source.file_name = table.text("file_name");
  if (source.file_name &&
      (source.file_name->find('/') != std::string::npos || *source.file_name == "." || *source.file_name == "..")) {
    table.fail("file_name", "'file_name' must be one name without '/'");
  }
}

void allow_source_keys(const TomlTable& table, SourceKind type) {
  std::vector<std::string> keys{"type",      "series",   "tags",     "store",       "push_to",     "retention",
                                "min_files", "min_size", "max_drop", "allow_empty", "max_age",     "verify",
                                "before",    "after",    "failed",   "finally",     "hook_timeout"};
  keys.insert(keys.end(), {"max_recovery_time", "drill_every", "drill", "restore"});
  const auto add = [&](const std::vector<std::string>& more) { keys.insert(keys.end(), more.begin(), more.end()); };
  switch (type) {
    case SourceKind::directory:
      add({"path", "busy_timeout", "lock_budget", "assume_local", "exclude", "include", "one_file_system",
           "exclude_caches", "reread"});
      table.allow_keys("a source of type \"directory\"", keys);
      break;
    case SourceKind::sqlite:
      add({"path", "busy_timeout", "lock_budget", "assume_local"});
      table.allow_keys("a source of type \"sqlite\"", keys);
      break;
    case SourceKind::command:
      add({"command", "env", "file_name"});
      table.allow_keys("a source of type \"command\"", keys);
      break;
  }
}

void read_source_stores(const TomlTable& table, SourceConfig& source, const Config& config) {
  source.store = table.text("store");
  if (source.store) check_known(table, "store", *source.store, config.stores, "store");
  source.push_to = table.texts("push_to").value_or(std::vector<std::string>{});
  check_unique(table, "push_to", source.push_to);
  const auto& own = source.store ? source.store : config.default_store;
  for (const auto& name : source.push_to) {
    check_known(table, "push_to", name, config.stores, "store");
    if (own && name == *own) {
      table.fail("push_to", fmt::format("'push_to' names {}, the store that source {} is captured into", quote(name),
                                        quote(source.name)));
    }
  }
}

SourceConfig read_source(const std::string& name, const TomlTable& table, const Config& config) {
  check_name(table, name, "source");
  SourceConfig source;
  source.name = name;
  const auto type = table.converted("type", "\"directory\", \"sqlite\" or \"command\"", parse_source_kind);
  if (!type) {
    table.fail(fmt::format("source {} has no 'type'", quote(name)), "it is \"directory\", \"sqlite\" or \"command\"");
  }
  source.type = *type;
  allow_source_keys(table, source.type);
  source.series = table.text("series").value_or(name);
  table.relocate("series", [&] { check_series(source.series); });
  source.tags = table.text_map("tags").value_or(std::map<std::string, std::string>{});
  for (const auto& [key, value] : source.tags) {
    if (key.empty() || key.find('=') != std::string::npos) {
      table.fail("tags", fmt::format("invalid tag name {}", quote(key)), "a tag's name has no '=' in it");
    }
  }
  read_source_stores(table, source, config);
  if (auto retention = table.table("retention")) source.retention = read_retention(*retention);
  read_guard_keys(table, source.guard);
  source.max_age = table.converted("max_age", "a time, for example \"26h\"", parse_duration);
  source.verify = read_verify(table, config.verify);
  source.hooks = read_hooks(table, config.hooks);
  source.restore_hooks.timeout = source.hooks.timeout;
  if (auto restore = table.table("restore")) {
    restore->allow_keys("the table \"restore\" of a source", {"before", "after", "failed", "hook_timeout"});
    source.restore_hooks = read_hooks(*restore, source.hooks);
  }
  source.drill = read_drill(table);

  if (source.type != SourceKind::command) {
    const auto path = table.absolute_path("path");
    if (!path) table.fail(fmt::format("source {} has no 'path'", quote(name)));
    source.path = *path;
    // A directory may hold databases.
    read_database_keys(table, source);
  }
  if (source.type == SourceKind::directory) read_directory_keys(table, source);
  if (source.type == SourceKind::command) read_command_keys(table, source);
  return source;
}

GroupConfig read_group(const std::string& name, const TomlTable& table, const Config& config) {
  check_name(table, name, "group");
  table.allow_keys("a group", {"sources", "before", "after", "failed", "finally", "hook_timeout"});
  if (config.sources.contains(name)) table.fail(fmt::format("{} is the name of a source, too", quote(name)));
  GroupConfig group;
  group.name = name;
  group.sources = table.texts("sources").value_or(std::vector<std::string>{});
  if (group.sources.empty()) table.fail("sources", fmt::format("group {} has no 'sources'", quote(name)));
  check_unique(table, "sources", group.sources);
  for (const auto& source : group.sources) check_known(table, "sources", source, config.sources, "source");
  group.hooks = read_hooks(table, config.hooks);
  return group;
}

void read_spool(const TomlTable& root, SpoolConfig& spool) {
  spool.dir = root.absolute_path("spool_dir");
  spool.size = root.size("spool_size");
  const auto full =
      root.converted("spool_full", "\"stream\" or \"fail\"", [](const std::string& text) -> std::optional<SpoolFull> {
        if (text == "stream") return SpoolFull::stream;
        if (text == "fail") return SpoolFull::fail;
        return std::nullopt;
      });
  spool.full = full.value_or(SpoolFull::stream);
}

void read_sources(const TomlTable& root, Config& config) {
  std::map<std::string, std::string> source_of_series;
  root.each_table("sources", [&](const std::string& name, const TomlTable& table) {
    SourceConfig source = read_source(name, table, config);
    const auto [other, is_new] = source_of_series.emplace(source.series, name);
    if (!is_new) {
      table.fail("series",
                 fmt::format("sources {} and {} have the same series {}", quote(other->second), quote(name),
                             quote(source.series)),
                 "snapshots of two sources in one series would displace each other");
    }
    config.sources.emplace(name, std::move(source));
  });
}

}  // namespace

std::optional<double> parse_percentage(std::string_view text) {
  if (text.empty() || text.back() != '%') return std::nullopt;
  unsigned percent = 0;
  const char* end = text.data() + text.size() - 1;
  const auto result = std::from_chars(text.data(), end, percent);
  if (result.ec != std::errc{} || result.ptr != end || percent > 100) return std::nullopt;
  return percent / 100.0;
}

Config parse_config(std::string_view text, const std::string& file_name) {
  const toml::table document = parse_toml(text, file_name);
  const TomlTable root{document, file_name};
  root.allow_keys("the configuration",
                  {"default_store", "cache_dir", "state_dir", "identity", "signing_key",  "spool_dir", "spool_size",
                   "spool_full",    "time_zone", "stores",    "sources",  "groups",       "retention", "verify",
                   "before",        "after",     "failed",    "finally",  "hook_timeout", "notify"});
  Config config;
  config.cache_dir = root.absolute_path("cache_dir");
  config.state_dir = root.absolute_path("state_dir");
  config.identity = root.absolute_path("identity");
  config.signing_key = root.absolute_path("signing_key");
  read_spool(root, config.spool);
  config.time_zone = root.text("time_zone").value_or("");
  root.relocate("time_zone", [&] { check_time_zone(config.time_zone); });
  root.each_table("stores", [&](const std::string& name, const TomlTable& table) {
    config.stores.emplace(name, read_store(name, table));
  });
  config.default_store = root.text("default_store");
  if (config.default_store) check_known(root, "default_store", *config.default_store, config.stores, "store");
  if (auto retention = root.table("retention")) config.retention = read_retention(*retention);
  config.verify = read_verify(root, config.verify);
  config.hooks = read_hooks(root, config.hooks);
  if (auto notify = root.table("notify")) config.notify = read_notify(*notify);
  read_sources(root, config);
  root.each_table("groups", [&](const std::string& name, const TomlTable& table) {
    config.groups.emplace(name, read_group(name, table, config));
  });

  config.retention.time_zone = config.time_zone;
  for (auto& [name, source] : config.sources) {
    if (source.retention) source.retention->time_zone = config.time_zone;
  }
  return config;
}

}  // namespace cairn
