// Where the S3 client's keys and settings come from when the user gives none: environment and shared AWS files.
#pragma once

#include "store/s3/profile_file.hpp"
#include "util/environment.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::s3 {

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // empty: none
  std::string source;         // for messages: "the environment (AWS_ACCESS_KEY_ID)"; never a secret
};

// Asked before every signature, from any thread: keys that expire are renewed behind it.
using CredentialSource = std::function<Credentials()>;

// Contents of a file, nothing where it does not exist.
using FileReader = std::function<std::optional<std::string>(const std::string& path)>;

// All that the environment and the shared files say, read once.
class AwsEnvironment {
 public:
  // profile: the one that the user named for this store. It must exist then, and beats keys in the environment; one
  // named by AWS_PROFILE must exist too, but keys in the environment beat it, and with them a file that may not be read
  // is as good as none. Throws Error(usage), or Error(failed) where a file cannot be read.
  AwsEnvironment(const EnvironmentLookup& environment, const std::optional<std::string>& profile,
                 const FileReader& read);

  // The keys. Throws Error(usage): none found, half a pair, or a profile that gets its keys in a way that this program
  // does not know. No message shows a key.
  Credentials credentials() const;

  std::optional<std::string> region() const;
  std::optional<std::string> endpoint() const;
  std::optional<std::string> ca_file() const;
  std::optional<std::string> addressing_style() const;

 private:
  std::optional<std::string> variable(std::string_view name) const;
  std::optional<std::string> setting(const std::string& name) const;
  std::optional<std::string> service_setting(const std::string& name) const;
  std::optional<Credentials> from_environment() const;
  std::optional<Credentials> from_profile(const Settings* settings, const std::string& file) const;

  EnvironmentLookup m_environment;
  bool m_explicit_profile = false;
  std::string m_profile;
  std::string m_credentials_path;
  std::string m_config_path;
  ProfileFile m_credentials_file;
  ProfileFile m_config_file;
};

// At most 1 MiB of a real file; Error as util/file.hpp has it.
std::optional<std::string> read_settings_file(const std::string& path);

}  // namespace cairn::s3
