// The files of the AWS tools. The first byte says which of the two it is.
#include "store/s3/profile_file.hpp"

#include "store/s3/credentials.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  if (input.empty()) return;
  const auto kind = input.front() == 'c' ? s3::ProfileFileKind::config : s3::ProfileFileKind::credentials;
  input.remove_prefix(1);
  fuzz::accepted({ErrorKind::usage}, [&] {
    const auto file = s3::parse_profile_file(input, kind, "/home/x/.aws/config");
    for (const auto* sections : {&file.profiles, &file.services}) {
      for (const auto& [name, settings] : *sections) {
        for (const auto& [key, value] : settings) {
          require(key.find('\n') == std::string::npos && value.find('\n') == std::string::npos, "a setting is a line");
        }
      }
    }
  });
  fuzz::accepted({ErrorKind::usage}, [&] {
    const s3::AwsEnvironment aws{
        [](std::string_view name) { return name == "HOME" ? std::optional<std::string>{"/home/x"} : std::nullopt; },
        std::nullopt,
        [&](const std::string& path) -> std::optional<std::string> {
          const bool asked = path.ends_with("/config") == (kind == s3::ProfileFileKind::config);
          return asked ? std::optional{std::string{input}} : std::nullopt;
        }};
    static_cast<void>(aws.region());
    static_cast<void>(aws.endpoint());
    static_cast<void>(aws.addressing_style());
    const auto credentials = aws.credentials();
    require(!credentials.access_key.empty() && !credentials.secret_key.empty(), "there are both keys or none");
  });
}

std::vector<std::string> seeds() {
  return {"k[default]\naws_access_key_id = AKIA ; comment\naws_secret_access_key=s#e;c\n\n[other]\n# c\nx=\n",
          "c[default]\nregion = eu-1\ns3 =\n  addressing_style = path\n  more\n[profile 'a b']\nendpoint_url = h\n"
          "[services s]\ns3 = \n endpoint_url = http://x\n[sso-session y]\nz = 1\n"};
}

const fuzz::Registration k_registration{{"profile_file", run, seeds}};

}  // namespace
