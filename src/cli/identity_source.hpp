// Where age identities come from: files, an environment variable, a secret manager's command; passphrases from a
// terminal.
#pragma once

#include "codec/age/keys.hpp"
#include "util/environment.hpp"
#include "util/file.hpp"
#include "util/log.hpp"
#include "util/secret.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// The first of these that is given: files of --identity, CAIRN_IDENTITY (a path), CAIRN_IDENTITY_COMMAND (a program and
// its arguments, run without a shell, whose output is an identity file), the configuration's identity.
struct IdentitySettings {
  std::vector<std::string> options;
  std::optional<fs::path> configured;
};

// Asks a person for a secret, without echo; nothing where there is no terminal.
using AskPassphrase = std::function<std::optional<SecretBytes>(const std::string& prompt)>;
// On /dev/tty, so that standard input and output stay free. A signal is Error(interrupted); the echo is as it was.
std::optional<SecretBytes> ask_on_terminal(const std::string& prompt);

// Until a line was typed on a terminal, which a stream that is read would wait for whatever signal comes.
// Error(interrupted) for one.
void wait_for_line(int terminal);

// None where nothing is given. An identity file that a passphrase protects is asked for. A file that others can read is
// warned of. Error(usage) for a file that holds no identity, Error(no_key) for a wrong passphrase or where none can be
// asked for, Error(failed) where the command fails.
std::vector<age::Identity> load_identities(const IdentitySettings& settings, const EnvironmentLookup& environment,
                                           Reporter& reporter, const AskPassphrase& ask);

// Splits a command line as a shell would at blanks, with '...', "..." and backslashes, and expands nothing.
// Error(usage) for an open quote.
std::vector<std::string> split_command(const std::string& text);

}  // namespace cairn
