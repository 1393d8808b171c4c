#include "util/json.hpp"

#include "util/error.hpp"
#include "util/utf8.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <simdjson.h>

namespace cairn {

namespace {

// Bytes that stand for themselves in a string.
constexpr std::array<bool, 256> plain_table() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) table[c] = c != '"' && c != '\\';
  return table;
}
constexpr auto k_plain = plain_table();

[[noreturn]] void bad_type(std::string_view wanted) {
  throw Error(ErrorKind::damaged, fmt::format("invalid JSON: expected {}", wanted));
}
}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return k_plain[static_cast<unsigned char>(c)]; })) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  if (!is_valid_utf8(text)) throw Error(ErrorKind::failed, "unable to write JSON: text is not UTF-8");
  out += '"';
  std::size_t clean = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out.append(text.substr(clean, i - clean));
    clean = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += fmt::format("\\u{:04x}", c);
    }
  }
  out.append(text.substr(clean));
  out += '"';
}

void JsonWriter::before_value() {
  if (m_need_comma) m_out += ',';
  m_need_comma = true;
}

JsonWriter& JsonWriter::begin_object() {
  before_value();
  m_out += '{';
  m_need_comma = false;
  return *this;
}
JsonWriter& JsonWriter::end_object() {
  m_out += '}';
  m_need_comma = true;
  return *this;
}
JsonWriter& JsonWriter::begin_array() {
  before_value();
  m_out += '[';
  m_need_comma = false;
  return *this;
}
JsonWriter& JsonWriter::end_array() {
  m_out += ']';
  m_need_comma = true;
  return *this;
}
JsonWriter& JsonWriter::key(std::string_view name) {
  before_value();
  append_json_string(m_out, name);
  m_out += ':';
  m_need_comma = false;
  return *this;
}
JsonWriter& JsonWriter::value(std::string_view text) {
  before_value();
  append_json_string(m_out, text);
  return *this;
}
JsonWriter& JsonWriter::value(std::uint64_t number) {
  if (number > k_max_integer) {
    throw Error(ErrorKind::failed, fmt::format("unable to write {} as JSON: it is more than 2^53-1", number));
  }
  before_value();
  const fmt::format_int text{number};
  m_out.append(text.data(), text.size());
  return *this;
}
JsonWriter& JsonWriter::value(std::int64_t number) {
  before_value();
  const fmt::format_int text{number};
  m_out.append(text.data(), text.size());
  return *this;
}
JsonWriter& JsonWriter::value(double number) {
  before_value();
  m_out += std::isfinite(number) ? fmt::format("{:.6g}", number) : "null";
  return *this;
}
JsonWriter& JsonWriter::value(bool truth) {
  before_value();
  m_out += truth ? "true" : "false";
  return *this;
}
JsonWriter& JsonWriter::null() {
  before_value();
  m_out += "null";
  return *this;
}
JsonWriter& JsonWriter::raw(std::string_view json) {
  before_value();
  m_out += json;
  return *this;
}
JsonWriter& JsonWriter::newline() {
  m_out += '\n';
  return *this;
}

constexpr int k_max_depth = 64;

class JsonParser {
 public:
  static Json convert(const simdjson::dom::element& from, int depth) {
    // depth: of an object or an array, the outermost being 1.
    if (depth > k_max_depth && (from.is_array() || from.is_object())) {
      throw Error(ErrorKind::damaged, "invalid JSON: nested too deep");
    }
    Json to;
    switch (from.type()) {
      case simdjson::dom::element_type::NULL_VALUE:
        break;
      case simdjson::dom::element_type::BOOL:
        to.m_value = bool{from.get_bool().value_unsafe()};
        break;
      case simdjson::dom::element_type::INT64:
        to.m_value = std::int64_t{from.get_int64().value_unsafe()};
        break;
      case simdjson::dom::element_type::UINT64:
        to.m_value = std::uint64_t{from.get_uint64().value_unsafe()};
        break;
      case simdjson::dom::element_type::DOUBLE:
        to.m_value = double{from.get_double().value_unsafe()};
        break;
      case simdjson::dom::element_type::STRING:
        to.m_value = std::string{from.get_string().value_unsafe()};
        break;
      case simdjson::dom::element_type::ARRAY: {
        Json::Array array;
        // In a variable: the accessor returns a reference into a temporary.
        const simdjson::dom::array items = from.get_array().value_unsafe();
        for (const auto& item : items) array.push_back(convert(item, depth + 1));
        to.m_value = std::move(array);
        break;
      }
      case simdjson::dom::element_type::OBJECT: {
        Json::Object object;
        std::set<std::string_view> seen;
        const simdjson::dom::object members = from.get_object().value_unsafe();
        for (const auto& member : members) {
          if (!seen.insert(member.key).second) {
            throw Error(ErrorKind::damaged, fmt::format("invalid JSON: duplicate key {}", quote(member.key)));
          }
          object.emplace_back(std::string{member.key}, convert(member.value, depth + 1));
        }
        to.m_value = std::move(object);
        break;
      }
    }
    return to;
  }
};

Json Json::parse(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  // It copies the text, and what copies takes no null pointer, even where there is nothing to copy.
  const auto error = parser.parse(text.empty() ? "" : text.data(), text.size()).get(root);
  if (error) throw Error(ErrorKind::damaged, fmt::format("invalid JSON: {}", simdjson::error_message(error)));
  return JsonParser::convert(root, 1);
}

std::string raw_member(std::string_view object, std::string_view key) {
  simdjson::ondemand::parser parser;
  const simdjson::padded_string padded{object};
  simdjson::ondemand::document document;
  simdjson::ondemand::object members;
  if (!parser.iterate(padded).get(document) && !document.get_object().get(members)) {
    for (auto field : members) {
      std::string_view name;
      if (field.unescaped_key().get(name) || name != key) continue;
      std::string_view raw;
      if (simdjson::to_json_string(field.value()).get(raw)) break;
      std::string text{raw};
      std::erase(text, '\n');
      return text;
    }
  }
  throw Error(ErrorKind::damaged, fmt::format("invalid JSON: no key {}", quote(key)));
}

const std::string& Json::string() const {
  if (const auto* p = std::get_if<std::string>(&m_value)) return *p;
  bad_type("a string");
}
std::uint64_t Json::u64() const {
  if (const auto* p = std::get_if<std::int64_t>(&m_value)) {
    if (*p >= 0 && static_cast<std::uint64_t>(*p) <= k_max_integer) return static_cast<std::uint64_t>(*p);
  }
  bad_type("an integer from 0 to 2^53-1");
}
double Json::number() const {
  if (const auto* p = std::get_if<double>(&m_value)) return *p;
  if (const auto* p = std::get_if<std::int64_t>(&m_value)) return static_cast<double>(*p);
  bad_type("a number");
}
bool Json::boolean() const {
  if (const auto* p = std::get_if<bool>(&m_value)) return *p;
  bad_type("true or false");
}
const Json::Array& Json::array() const {
  if (const auto* p = std::get_if<Array>(&m_value)) return *p;
  bad_type("an array");
}
const Json::Object& Json::object() const {
  if (const auto* p = std::get_if<Object>(&m_value)) return *p;
  bad_type("an object");
}
const Json* Json::find(std::string_view key) const {
  for (const auto& [name, value] : object()) {
    if (name == key) return &value;
  }
  return nullptr;
}
const Json& Json::at(std::string_view key) const {
  if (const Json* found = find(key)) return *found;
  throw Error(ErrorKind::damaged, fmt::format("invalid JSON: no key {}", quote(key)));
}

}  // namespace cairn
