// JSON in and out. Reading is strict: UTF-8, no duplicate keys, integers exact. Writing is a stream, so that the
// program controls the exact text (a record's text is what gets hashed and signed).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cairn {

// The greatest integer that every reader of JSON takes exactly, and that an object of a store may have.
inline constexpr std::uint64_t k_max_integer = (std::uint64_t{1} << 53) - 1;

// a + b, or that where it is more.
constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
  return b > k_max_integer || a > k_max_integer - b ? k_max_integer : a + b;
}

// Appends to a string. Keys and values must be valid UTF-8 (an Error otherwise: callers encode other bytes as
// base64). Commas and colons come by themselves.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  JsonWriter& value(const std::string& text) { return value(std::string_view{text}); }
  // Error(failed) above k_max_integer: what is written can be read.
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(unsigned number) { return value(static_cast<std::uint64_t>(number)); }
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(double number);
  JsonWriter& value(bool truth);
  JsonWriter& null();
  // Text that is JSON already.
  JsonWriter& raw(std::string_view json);
  template <class T>
  JsonWriter& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  template <class T>
  JsonWriter& member(std::string_view name, const std::optional<T>& v) {
    key(name);
    return v ? value(*v) : null();
  }
  const std::string& text() const& noexcept { return m_out; }
  std::string text() && { return std::move(m_out); }
  // A line break between two tokens; allowed anywhere JSON has white space.
  JsonWriter& newline();

 private:
  void before_value();
  std::string m_out;
  bool m_need_comma = false;
};

// "quoted and escaped": also what JsonWriter::value(string) writes.
void append_json_string(std::string& out, std::string_view text);

// The value of an object's member as it is written, but for line breaks, which have no meaning outside of strings and
// are not allowed inside. `object` is text that Json::parse() accepts. Error(damaged) where there is no such member.
std::string raw_member(std::string_view object, std::string_view key);

// A parsed document. Members keep their order. Every accessor that finds another type, a missing key or a number out
// of range throws Error(damaged) naming the key; the caller adds which object it was.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  // At most 64 levels deep. Throws Error(damaged): "invalid JSON: cause".
  static Json parse(std::string_view text);

  bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(m_value); }
  bool is_boolean() const noexcept { return std::holds_alternative<bool>(m_value); }
  bool is_string() const noexcept { return std::holds_alternative<std::string>(m_value); }
  bool is_array() const noexcept { return std::holds_alternative<Array>(m_value); }
  bool is_object() const noexcept { return std::holds_alternative<Object>(m_value); }

  const std::string& string() const;
  std::uint64_t u64() const;  // 0 .. 2^53-1
  double number() const;
  bool boolean() const;
  const Array& array() const;
  const Object& object() const;

  // Member of an object; find() is null where it is absent.
  const Json& at(std::string_view key) const;
  const Json* find(std::string_view key) const;

 private:
  friend class JsonParser;
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> m_value = nullptr;
};

}  // namespace cairn
