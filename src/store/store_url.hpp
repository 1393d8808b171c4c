// The ways to write a store down: a path, file:///path, s3://bucket/prefix?options. Pure: touches nothing.
#pragma once

#include "util/file.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace cairn {

struct S3Url {
  std::string bucket;
  std::string prefix;  // no slash at either end; empty for the whole bucket
  std::optional<std::string> endpoint;
  std::optional<std::string> region;
  std::optional<std::string> style;
};

using StoreUrl = std::variant<fs::path, S3Url>;

// Throws Error(usage), saying what about the text is wrong.
StoreUrl parse_store_url(std::string_view text);

// %XX undone; nothing for a malformed escape. A plus sign stays one.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace cairn
