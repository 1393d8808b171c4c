// The shared configuration files of the AWS tools (~/.aws/credentials, ~/.aws/config). Pure.
// Source: "Format of the shared config and credentials files", AWS SDKs and Tools reference guide.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace cairn::s3 {

// Settings of one section; those of a nested block ("s3 =" and indented lines) as "s3.name". Names in lower case.
using Settings = std::map<std::string, std::string>;

struct ProfileFile {
  std::map<std::string, Settings> profiles;
  std::map<std::string, Settings> services;  // [services NAME] sections of the config file
};

// The credentials file names a profile [NAME], the config file [profile NAME]; [default] is the same in both.
enum class ProfileFileKind { credentials, config };

// Lines that are neither a section, a setting nor a comment throw Error(usage) naming file and line, never the text.
ProfileFile parse_profile_file(std::string_view text, ProfileFileKind kind, std::string_view file_name);

}  // namespace cairn::s3
