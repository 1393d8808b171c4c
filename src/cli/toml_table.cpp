#include "cli/toml_table.hpp"

#include "cli/edit_distance.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

const char* type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::string position(const std::string& file_name, const toml::source_position& at) {
  return fmt::format("{}:{}:{}: ", terminal_safe(file_name), at.line, at.column);
}

// The strings of an array, if that is what it is.
std::optional<std::vector<std::string>> strings_of(const toml::node& node) {
  const auto* array = node.as_array();
  if (!array) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& element : *array) {
    const auto* text = element.as_string();
    if (!text) return std::nullopt;
    out.push_back(text->get());
  }
  return out;
}

// An argument vector; also what separates a program name from a later argument, which may be empty.
bool is_stage(const std::vector<std::string>& stage) {
  return !stage.empty() && !stage.front().empty() && std::none_of(stage.begin(), stage.end(), [](const auto& argument) {
    return argument.find('\0') != std::string::npos;
  });
}

}  // namespace

void TomlTable::allow_keys(const char* where, const std::vector<std::string>& known) const {
  const toml::key* first = nullptr;  // in the order of the file, not of the alphabet
  for (const auto& [key, node] : m_table) {
    if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
    if (!first || key.source().begin < first->source().begin) first = &key;
  }
  if (!first) return;
  const auto near = closest(first->str(), known);
  fail_at(first->source(), fmt::format("unknown key {} in {}", quote(first->str()), where),
          near ? fmt::format("did you mean '{}'?", *near) : fmt::format("known here: {}", fmt::join(known, ", ")));
}

std::optional<std::string> TomlTable::text(const char* key) const {
  const auto* node = m_table.get(key);
  if (!node) return std::nullopt;
  const auto* value = node->as_string();
  if (!value) fail_type(key, *node, "a string");
  if (value->get().empty()) fail(key, fmt::format("'{}' is empty", key));
  if (value->get().find('\0') != std::string::npos) fail(key, fmt::format("'{}' has a zero byte in it", key));
  return value->get();
}

std::optional<bool> TomlTable::boolean(const char* key) const {
  const auto* node = m_table.get(key);
  if (!node) return std::nullopt;
  const auto* value = node->as_boolean();
  if (!value) fail_type(key, *node, "true or false");
  return value->get();
}

std::optional<std::uint32_t> TomlTable::count(const char* key, std::uint32_t least) const {
  const auto* node = m_table.get(key);
  if (!node) return std::nullopt;
  const auto* value = node->as_integer();
  if (!value) fail_type(key, *node, "a whole number");
  if (value->get() < least || value->get() > std::numeric_limits<std::uint32_t>::max()) {
    fail(key, fmt::format("'{}' must be from {} to {}", key, least, std::numeric_limits<std::uint32_t>::max()));
  }
  return static_cast<std::uint32_t>(value->get());
}

std::optional<std::vector<std::string>> TomlTable::texts(const char* key) const {
  const auto* node = m_table.get(key);
  if (!node) return std::nullopt;
  auto out = strings_of(*node);
  if (!out) fail_type(key, *node, "an array of strings");
  for (const auto& text : *out) {
    if (text.empty()) fail(key, fmt::format("'{}' has an empty string in it", key));
    if (text.find('\0') != std::string::npos) fail(key, fmt::format("'{}' has a zero byte in it", key));
  }
  return out;
}

std::optional<std::vector<std::vector<std::string>>> TomlTable::pipeline(const char* key) const {
  static constexpr const char* k_hint =
      "no shell is used: write [\"pg_dump\", \"app\"], or [[...], [...]] for a pipeline";
  const auto* node = m_table.get(key);
  if (!node) return std::nullopt;
  std::vector<std::vector<std::string>> stages;
  if (auto single = strings_of(*node)) {
    stages.push_back(std::move(*single));
  } else if (const auto* array = node->as_array()) {
    for (const auto& element : *array) {
      auto stage = strings_of(element);
      if (!stage) fail_type(key, *node, "an array of strings, or an array of such arrays", k_hint);
      stages.push_back(std::move(*stage));
    }
  } else {
    fail_type(key, *node, "an array of strings, or an array of such arrays", k_hint);
  }
  if (!std::all_of(stages.begin(), stages.end(), is_stage)) {
    fail(key, fmt::format("'{}' has a stage without a program", key), k_hint);
  }
  return stages;
}

std::optional<std::vector<std::vector<std::string>>> TomlTable::programs(const char* key) const {
  const std::string hint = fmt::format("no shell is used: write {} = [[\"program\", \"argument\"]]", key);
  const auto* node = m_table.get(key);
  if (!node) return std::nullopt;
  const auto* array = node->as_array();
  if (!array) fail(key, fmt::format("'{}' must be an array of arrays of strings", key), hint);
  std::vector<std::vector<std::string>> programs;
  for (const auto& element : *array) {
    auto program = strings_of(element);
    if (!program) fail(key, fmt::format("'{}' must be an array of arrays of strings", key), hint);
    if (!is_stage(*program)) fail(key, fmt::format("'{}' has an entry without a program", key), hint);
    programs.push_back(std::move(*program));
  }
  return programs;
}

std::optional<fs::path> TomlTable::absolute_path(const char* key) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  if (value->front() != '/') {
    // Relative to what? A timer, a shell and a test each start somewhere else.
    fail(key, fmt::format("'{}' must be an absolute path", key));
  }
  return fs::path{*value};
}

std::optional<std::uint64_t> TomlTable::size(const char* key) const {
  const auto* node = m_table.get(key);
  if (!node) return std::nullopt;
  if (const auto* number = node->as_integer()) {
    if (number->get() < 0) fail(key, fmt::format("'{}' must not be negative", key));
    return static_cast<std::uint64_t>(number->get());
  }
  if (!node->is_string()) fail_type(key, *node, "a size as \"64k\", or a number of bytes");
  return converted(key, "a size, for example \"512k\", \"64M\" or \"1.5 GB\"",
                   [](const std::string& text) { return parse_size(text); });
}

std::optional<TomlTable> TomlTable::table(const char* key) const {
  const auto* node = m_table.get(key);
  if (!node) return std::nullopt;
  const auto* value = node->as_table();
  if (!value) fail_type(key, *node, "a table");
  return TomlTable{*value, m_file_name};
}

std::vector<TomlTable> TomlTable::tables(const char* key) const {
  const auto* node = m_table.get(key);
  if (!node) return {};
  const auto* array = node->as_array();
  if (!array) fail_type(key, *node, "an array of tables");
  std::vector<TomlTable> out;
  for (const auto& element : *array) {
    const auto* value = element.as_table();
    if (!value) fail_type(key, *node, "an array of tables");
    out.emplace_back(*value, m_file_name);
  }
  return out;
}

void TomlTable::each_table(const char* key,
                           const std::function<void(const std::string& name, TomlTable table)>& visit) const {
  const auto outer = table(key);
  if (!outer) return;
  for (const auto& [name, node] : outer->m_table) {
    const auto* value = node.as_table();
    if (!value) {
      fail_at(name.source(),
              fmt::format("'{}' in [{}] must be a table, not {}", terminal_safe(name.str()), key, type_name(node)),
              fmt::format("write [{}.NAME] above its keys", key));
    }
    visit(std::string{name.str()}, TomlTable{*value, m_file_name});
  }
}

std::optional<std::map<std::string, std::string>> TomlTable::text_map(const char* key) const {
  const auto outer = table(key);
  if (!outer) return std::nullopt;
  std::map<std::string, std::string> out;
  for (const auto& [name, node] : outer->m_table) {
    const auto* value = node.as_string();
    if (!value) {
      fail_at(name.source(), fmt::format("'{}' must be a string, not {}", terminal_safe(name.str()), type_name(node)),
              "");
    }
    out.emplace(name.str(), value->get());
  }
  return out;
}

void TomlTable::fail(const char* key, const std::string& message, const std::string& hint) const {
  for (const auto& [name, node] : m_table) {
    if (name.str() == key) fail_at(name.source(), message, hint);
  }
  fail(message, hint);
}

void TomlTable::fail(const std::string& message, const std::string& hint) const {
  fail_at(m_table.source(), message, hint);
}

void TomlTable::fail_type(const char* key, const toml::node& node, const char* expected,
                          const std::string& hint) const {
  fail(key, fmt::format("'{}' must be {}, not {}", key, expected, type_name(node)), hint);
}

void TomlTable::fail_at(const toml::source_region& at, const std::string& message, const std::string& hint) const {
  throw Error(ErrorKind::usage, position(m_file_name, at.begin) + message, hint);
}

toml::table parse_toml(std::string_view text, const std::string& file_name) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorKind::usage,
                position(file_name, error.source().begin) + "invalid TOML: " + terminal_safe(error.description()));
  }
}

}  // namespace cairn
