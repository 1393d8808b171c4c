#include "repo/format.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

void write_names(JsonWriter& to, std::string_view key, const std::vector<std::string>& names) {
  to.key(key).begin_array();
  for (const auto& name : names) to.value(name);
  to.end_array();
}

std::vector<std::string> parse_names(const Json& from) {
  std::vector<std::string> names;
  for (const auto& name : from.array()) names.push_back(name.string());
  return names;
}

}  // namespace

void write_requirements(JsonWriter& to, const Requirements& requirements) {
  write_names(to, "requires_read", requirements.read);
  write_names(to, "requires_write", requirements.write);
  write_names(to, "requires_prune", requirements.prune);
}

Requirements parse_requirements(const Json& from) {
  return {parse_names(from.at("requires_read")), parse_names(from.at("requires_write")),
          parse_names(from.at("requires_prune"))};
}

void check_requirements(const Requirements& requirements, Operation operation, std::string_view what) {
  // Version 1.0 of the format has no features, so any name is one that this program does not know.
  const auto refuse = [&](const std::vector<std::string>& names, std::string_view verb) {
    if (names.empty()) return;
    throw Error(ErrorKind::failed,
                fmt::format("unable to {} {}: it needs the feature {}, which this program does not know", verb,
                            quote(what), quote(names.front())),
                "use a newer version of cairn");
  };
  switch (operation) {
    case Operation::read:
      refuse(requirements.read, "read");
      break;
    case Operation::write:
      refuse(requirements.write, "write to");
      break;
    case Operation::prune:
      refuse(requirements.prune, "prune");
      break;
    case Operation::rewrite:
      for (const auto* names : {&requirements.read, &requirements.write, &requirements.prune})
        refuse(*names, "rewrite");
      break;
  }
}

void check_format(const Json& object, std::string_view format, std::string_view what) {
  const Json* name = object.find("format");
  if (name == nullptr || !name->is_string() || name->string() != format) {
    throw Error(ErrorKind::damaged, fmt::format("damaged {}: not a {} object", quote(what), format));
  }
  const std::uint64_t version = object.at("version").u64();
  if (version != k_format_version) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to read {}: it has format version {}, this program reads version {}", quote(what),
                            version, k_format_version),
                "use a newer version of cairn");
  }
}

}  // namespace cairn
