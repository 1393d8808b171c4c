#include "store/s3/credentials.hpp"

#include "util/error.hpp"
#include "util/file.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

namespace cairn::s3 {

namespace {

const Settings* find_profile(const ProfileFile& file, const std::string& name) {
  const auto at = file.profiles.find(name);
  return at == file.profiles.end() ? nullptr : &at->second;
}

std::optional<std::string> find_setting(const Settings* settings, const std::string& name) {
  if (settings == nullptr) return std::nullopt;
  const auto at = settings->find(name);
  if (at == settings->end() || at->second.empty()) return std::nullopt;
  return at->second;
}

// A key that was pasted with a line break or a blank would only be told "signature does not match" by the server.
void require_plain(const std::string& value, std::string_view name, std::string_view where) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (plain) return;
  throw Error(ErrorKind::usage,
              fmt::format("invalid {} in {}: it has white space or characters that no key has", name, where));
}

Credentials checked(Credentials found, std::string_view where) {
  require_plain(found.access_key, "access key", where);
  require_plain(found.secret_key, "secret key", where);
  require_plain(found.session_token, "session token", where);
  found.source = where;
  return found;
}

[[noreturn]] void throw_half_pair(std::string_view present, std::string_view missing, std::string_view where) {
  throw Error(ErrorKind::usage, fmt::format("half a key pair in {}: {} is set, {} is not", where, present, missing));
}

}  // namespace

std::optional<std::string> read_settings_file(const std::string& path) {
  const auto bytes = read_file_if_exists(path, k_mib);
  if (!bytes) return std::nullopt;
  return std::string{as_text(*bytes)};
}

AwsEnvironment::AwsEnvironment(const EnvironmentLookup& environment, const std::optional<std::string>& profile,
                               const FileReader& read)
    : m_environment(environment), m_explicit_profile(profile.has_value()) {
  const auto named = variable("AWS_PROFILE");
  m_profile = profile.value_or(named.value_or("default"));
  const auto home = variable("HOME");
  const auto path_of = [&](std::string_view name, const char* below_home) {
    if (auto path = variable(name)) {
      refuse_secret(*path, name);
      return *path;
    }
    return home ? *home + below_home : std::string{};
  };
  m_credentials_path = path_of("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  m_config_path = path_of("AWS_CONFIG_FILE", "/.aws/config");
  // Whoever has the keys in the environment needs none of somebody else's files, which HOME may lead to; of those that
  // can be read he may want the other settings.
  const bool has_keys = !m_explicit_profile && variable("AWS_ACCESS_KEY_ID") && variable("AWS_SECRET_ACCESS_KEY");
  bool unreadable = false;
  const auto load = [&](const std::string& path, ProfileFileKind kind) {
    try {
      const auto text = path.empty() ? std::nullopt : read(path);
      return text ? parse_profile_file(*text, kind, path) : ProfileFile{};
    } catch (const SystemError& e) {
      if (!has_keys || (e.number() != EACCES && e.number() != EPERM)) throw;
      unreadable = true;
      return ProfileFile{};
    }
  };
  m_credentials_file = load(m_credentials_path, ProfileFileKind::credentials);
  m_config_file = load(m_config_path, ProfileFileKind::config);
  if ((profile || named) && !unreadable && find_profile(m_credentials_file, m_profile) == nullptr &&
      find_profile(m_config_file, m_profile) == nullptr) {
    throw Error(ErrorKind::usage, fmt::format("no AWS profile {} in {} or {}", quote_given(m_profile),
                                              quote(m_credentials_path), quote(m_config_path)));
  }
}

std::optional<std::string> AwsEnvironment::variable(std::string_view name) const {
  return nonempty(m_environment, name);
}

std::optional<std::string> AwsEnvironment::setting(const std::string& name) const {
  if (auto value = find_setting(find_profile(m_credentials_file, m_profile), name)) return value;
  return find_setting(find_profile(m_config_file, m_profile), name);
}

std::optional<std::string> AwsEnvironment::service_setting(const std::string& name) const {
  const auto services = setting("services");
  if (!services) return std::nullopt;
  const auto at = m_config_file.services.find(*services);
  return at == m_config_file.services.end() ? std::nullopt : find_setting(&at->second, name);
}

std::optional<Credentials> AwsEnvironment::from_environment() const {
  const auto access = variable("AWS_ACCESS_KEY_ID");
  const auto secret = variable("AWS_SECRET_ACCESS_KEY");
  if (!access && !secret) return std::nullopt;
  if (!secret) throw_half_pair("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "the environment");
  if (!access) throw_half_pair("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "the environment");
  return checked({*access, *secret, variable("AWS_SESSION_TOKEN").value_or(""), {}},
                 "the environment (AWS_ACCESS_KEY_ID)");
}

std::optional<Credentials> AwsEnvironment::from_profile(const Settings* settings, const std::string& file) const {
  const auto access = find_setting(settings, "aws_access_key_id");
  const auto secret = find_setting(settings, "aws_secret_access_key");
  if (!access && !secret) return std::nullopt;
  const std::string where = fmt::format("profile {} in {}", quote(m_profile), quote(file));
  if (!secret) throw_half_pair("aws_access_key_id", "aws_secret_access_key", where);
  if (!access) throw_half_pair("aws_secret_access_key", "aws_access_key_id", where);
  return checked({*access, *secret, find_setting(settings, "aws_session_token").value_or(""), {}}, where);
}

Credentials AwsEnvironment::credentials() const {
  if (!m_explicit_profile) {
    if (auto found = from_environment()) return *found;
  }
  if (auto found = from_profile(find_profile(m_credentials_file, m_profile), m_credentials_path)) return *found;
  if (auto found = from_profile(find_profile(m_config_file, m_profile), m_config_path)) return *found;
  static const std::array<std::string, 5> k_unknown_ways{"credential_process", "role_arn", "sso_session",
                                                         "sso_start_url", "web_identity_token_file"};
  for (const auto& name : k_unknown_ways) {
    if (setting(name)) {
      throw Error(ErrorKind::usage,
                  fmt::format("profile {} gets its keys by {}, which is not supported", quote(m_profile), name),
                  "put temporary keys in the environment: aws configure export-credentials --format env");
    }
  }
  throw Error(ErrorKind::usage, "no credentials for S3 found",
              fmt::format("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to {}",
                          m_credentials_path.empty() ? std::string{"~/.aws/credentials"} : quote(m_credentials_path)));
}

std::optional<std::string> AwsEnvironment::region() const {
  if (auto value = variable("AWS_REGION")) return value;
  if (auto value = variable("AWS_DEFAULT_REGION")) return value;
  return setting("region");
}

std::optional<std::string> AwsEnvironment::endpoint() const {
  if (auto value = variable("AWS_ENDPOINT_URL_S3")) return value;
  if (auto value = variable("AWS_ENDPOINT_URL")) return value;
  if (auto value = service_setting("s3.endpoint_url")) return value;
  return setting("endpoint_url");
}

std::optional<std::string> AwsEnvironment::ca_file() const {
  if (auto value = variable("AWS_CA_BUNDLE")) {
    refuse_secret(*value, "AWS_CA_BUNDLE");
    return value;
  }
  return setting("ca_bundle");
}

std::optional<std::string> AwsEnvironment::addressing_style() const {
  return setting("s3.addressing_style");
}

}  // namespace cairn::s3
