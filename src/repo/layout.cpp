#include "repo/layout.hpp"

#include "util/json.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace cairn::layout {

namespace {

constexpr std::string_view k_json = ".json";

std::optional<std::string_view> between(std::string_view key, std::string_view prefix, std::string_view suffix) {
  if (key.size() < prefix.size() + suffix.size() || !key.starts_with(prefix) || !key.ends_with(suffix)) {
    return std::nullopt;
  }
  return key.substr(prefix.size(), key.size() - prefix.size() - suffix.size());
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // One spelling only: no leading zeros.
  if (error != std::errc{} || end != text.data() + text.size() || text[0] == '0' || value > k_max_integer) {
    return std::nullopt;
  }
  return value;
}

bool hex_of(std::string_view text, std::size_t digits) {
  return text.size() == digits && is_hex(text);
}

// The common form of the names of manifests and drill records: SERIES/TIME-ID-LAST.json below a directory.
struct SeriesName {
  std::string series;
  Time time;
  std::string id;
  std::string last;  // 16 hex digits
};

std::optional<SeriesName> parse_series_name(std::string_view key, std::string_view directory) {
  const auto path = between(key, directory, k_json);
  if (!path) return std::nullopt;
  const auto slash = path->find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view name = path->substr(slash + 1);
  // TIME (26 characters), '-', 16, '-', 16
  if (name.size() != 26 + 1 + 16 + 1 + 16 || name[26] != '-' || name[43] != '-') return std::nullopt;
  const auto time = parse_time_compact(name.substr(0, 26));
  if (!time || !is_valid_series(path->substr(0, slash)) || !hex_of(name.substr(27, 16), 16) ||
      !hex_of(name.substr(44), 16)) {
    return std::nullopt;
  }
  return SeriesName{std::string{path->substr(0, slash)}, *time, std::string{name.substr(27, 16)},
                    std::string{name.substr(44)}};
}

}  // namespace

std::string descriptor_key(std::uint64_t generation, const Digest& sha256_of_object) {
  return fmt::format("{}{}-{}.json", k_config, generation, sha256_of_object.hex());
}

std::optional<DescriptorKey> parse_descriptor_key(std::string_view key) {
  const auto name = between(key, k_config, k_json);
  if (!name || name->size() < 66) return std::nullopt;
  const auto dash = name->size() - 65;
  const auto generation = number(name->substr(0, dash));
  const auto digest = Digest::parse(name->substr(dash + 1));
  if ((*name)[dash] != '-' || !generation || !digest) return std::nullopt;
  return DescriptorKey{*generation, *digest};
}

std::string manifest_key(const std::string& series, Time cut_point, const Digest& id, const Digest& sha256_of_object) {
  return fmt::format("{}{}/{}-{}-{}.json", k_snapshots, series, format_time_compact(cut_point), id.short_hex(),
                     sha256_of_object.short_hex());
}

std::optional<ManifestKey> parse_manifest_key(std::string_view key) {
  auto name = parse_series_name(key, k_snapshots);
  if (!name) return std::nullopt;
  return ManifestKey{std::move(name->series), name->time, std::move(name->id), std::move(name->last)};
}

bool fits_name(ByteView object, const ManifestKey& name) {
  return sha256(object).short_hex() == name.sha256;
}

std::string pack_key(const Digest& name) {
  const std::string hex = name.hex();
  return fmt::format("{}{}/{}", k_packs, hex.substr(0, 2), hex);
}

std::optional<Digest> parse_pack_key(std::string_view key) {
  const auto path = between(key, k_packs, "");
  if (!path || path->size() != 67 || (*path)[2] != '/' || path->substr(0, 2) != path->substr(3, 2)) {
    return std::nullopt;
  }
  return Digest::parse(path->substr(3));
}

std::string pending_key(const std::string& run, std::uint64_t number) {
  return fmt::format("{}{}-{}.json", k_pending, run, number);
}

std::optional<PendingKey> parse_pending_key(std::string_view key) {
  const auto name = between(key, k_pending, k_json);
  if (!name || name->size() < 34 || (*name)[32] != '-' || !hex_of(name->substr(0, 32), 32)) return std::nullopt;
  const auto n = number(name->substr(33));
  if (!n) return std::nullopt;
  return PendingKey{std::string{name->substr(0, 32)}, *n};
}

std::string mark_key(Time time, const std::string& nonce) {
  return fmt::format("{}{}-{}.json", k_marks, format_time_compact(time), nonce);
}

std::optional<Time> parse_mark_key(std::string_view key) {
  const auto name = between(key, k_marks, k_json);
  if (!name || name->size() != 26 + 1 + 32 || (*name)[26] != '-' || !hex_of(name->substr(27), 32)) return std::nullopt;
  return parse_time_compact(name->substr(0, 26));
}

std::string pin_key(const Digest& id, Time time, bool pinned, const std::string& nonce) {
  return fmt::format("{}{}/{}-{}-{}.json", k_pins, id.hex(), format_time_compact(time), pinned ? "pin" : "unpin",
                     nonce);
}

std::optional<PinKey> parse_pin_key(std::string_view key) {
  const auto path = between(key, k_pins, k_json);
  if (!path || path->size() < 65 + 26 || (*path)[64] != '/') return std::nullopt;
  const auto id = Digest::parse(path->substr(0, 64));
  const std::string_view name = path->substr(65);
  const auto time = parse_time_compact(name.substr(0, 26));
  const std::string_view rest = name.substr(26);
  const bool pin = rest.starts_with("-pin-");
  if (!id || !time || (!pin && !rest.starts_with("-unpin-")) || !hex_of(rest.substr(pin ? 5 : 7), 16)) {
    return std::nullopt;
  }
  return PinKey{*id, *time, pin};
}

std::string recovery_key(std::string_view version, std::string_view name, const Digest& sha256) {
  return fmt::format("{}{}/{}-{}", k_recover, version, name, sha256.hex());
}

std::string recovery_signature_key(std::string_view recovery_key, std::string_view key_id) {
  return fmt::format("{}-{}.minisig", recovery_key, key_id);
}

std::string drill_key(const std::string& series, Time time, const Digest& id, const std::string& nonce) {
  return fmt::format("{}{}/{}-{}-{}.json", k_drills, series, format_time_compact(time), id.short_hex(), nonce);
}

std::optional<DrillKey> parse_drill_key(std::string_view key) {
  auto name = parse_series_name(key, k_drills);
  if (!name) return std::nullopt;
  return DrillKey{std::move(name->series), name->time, std::move(name->id)};
}

bool is_valid_series(std::string_view series) noexcept {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (series.empty() || series.size() > 64 || series == "latest" || !alnum(series.front())) return false;
  if (!std::all_of(series.begin(), series.end(),
                   [&](char c) { return alnum(c) || c == '.' || c == '_' || c == '-'; })) {
    return false;
  }
  const bool all_hex = std::all_of(series.begin(), series.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
  return !(all_hex && series.size() >= 8);
}

}  // namespace cairn::layout
