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

// The address of a store or an endpoint as messages may show it, however it was mistyped: without what stands before an
// at sign (a user and a password) and without the values of options. Other text, such as SERIES@TIME, comes back as it
// is.
std::string without_secrets(std::string_view address);

// Throws Error(usage), saying what about the text is wrong, and nothing of it that may be a secret. A relative path
// with a colon in its first component is refused, too: other programs write remote places so ("b2:bucket",
// "host:path"), and none of them may become a directory here. As "./NAME:REST" it is a path.
StoreUrl parse_store_url(std::string_view text);

// %XX undone; nothing for a malformed escape. A plus sign stays one.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace cairn
