// A table of a TOML document, read key by key with the type each must have.
#pragma once

#include "util/error.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

namespace cairn {

// Refers to the document and to file_name, which outlive it. Every failure is an Error(usage) whose message begins with
// "FILE:LINE:COLUMN: ".
class TomlTable {
 public:
  TomlTable(const toml::table& table, const std::string& file_name) : m_table(table), m_file_name(file_name) {}

  // The first key that is not one of these is an error. `where` tells in which kind of table: "a store".
  void allow_keys(const char* where, const std::vector<std::string>& known) const;

  // Nothing where the key is absent.
  std::optional<std::string> text(const char* key) const;  // not empty
  std::optional<bool> boolean(const char* key) const;
  std::optional<std::uint32_t> count(const char* key, std::uint32_t least) const;
  std::optional<std::vector<std::string>> texts(const char* key) const;
  // An array of arguments, or an array of such arrays: a pipeline. No stage and no program name is empty.
  std::optional<std::vector<std::vector<std::string>>> pipeline(const char* key) const;
  // An array of arrays of arguments. No program name is empty.
  std::optional<std::vector<std::vector<std::string>>> programs(const char* key) const;
  std::optional<fs::path> absolute_path(const char* key) const;
  std::optional<std::uint64_t> size(const char* key) const;  // "64k", or a number of bytes
  std::optional<TomlTable> table(const char* key) const;
  std::vector<TomlTable> tables(const char* key) const;  // an array of tables
  // Every member of the table under key, by name, with its position.
  void each_table(const char* key, const std::function<void(const std::string& name, TomlTable table)>& visit) const;
  std::optional<std::map<std::string, std::string>> text_map(const char* key) const;

  // text() turned into something else. convert returns an optional, or throws Error(usage) saying why not; what is
  // expected where it returns nothing.
  template <class Convert>
  auto converted(const char* key, const char* expected, const Convert& convert) const
      -> decltype(convert(std::string{})) {
    const auto value = text(key);
    if (!value) return std::nullopt;
    auto result = relocate(key, [&] { return convert(*value); });
    if (!result) fail(key, std::string{"'"} + key + "' must be " + expected);
    return result;
  }
  // Runs check; its Error(usage) gets the position of the key.
  template <class Check>
  auto relocate(const char* key, const Check& check) const {
    try {
      return check();
    } catch (const Error& error) {
      fail(key, error.message(), error.hint());
    }
  }

  // At the key, or where that is absent at the table.
  [[noreturn]] void fail(const char* key, const std::string& message, const std::string& hint = {}) const;
  [[noreturn]] void fail(const std::string& message, const std::string& hint = {}) const;

 private:
  [[noreturn]] void fail_type(const char* key, const toml::node& node, const char* expected,
                              const std::string& hint = {}) const;
  [[noreturn]] void fail_at(const toml::source_region& at, const std::string& message, const std::string& hint) const;

  const toml::table& m_table;
  const std::string& m_file_name;
};

// The document. Throws Error(usage) with the position of what is no TOML.
toml::table parse_toml(std::string_view text, const std::string& file_name);

}  // namespace cairn
