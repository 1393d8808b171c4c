#include "cli/identity_source.hpp"

#include "codec/age/age.hpp"
#include "util/error.hpp"
#include "util/exposed_file.hpp"
#include "util/interrupt.hpp"
#include "util/process.hpp"
#include "util/secret_text.hpp"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_largest_file = 1U << 20;
constexpr std::size_t k_longest_passphrase = 4096;

SecretBytes read_secret_file(const fs::path& path, Reporter& reporter) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("read", path.native(), errno);
  constexpr mode_t k_others = S_IRWXG | S_IRWXO;
  if (S_ISREG(status.st_mode) && (status.st_mode & k_others) != 0) {
    reporter.warning(fmt::format("identity file {} can be read by others (mode {:o}); chmod 600 keeps it secret",
                                 quote(path.native()), status.st_mode & 07777U));
  }
  auto bytes = read_file(path, k_largest_file);
  SecretBytes out{ByteView{bytes}};
  wipe(bytes);
  return out;
}

std::vector<age::Identity> parse(const SecretBytes& file, const std::string& name, const AskPassphrase& ask) {
  try {
    if (!age::is_age_file(file.text())) return age::parse_identities(file.text());
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("unable to use {} as an identity file: {}", name, e.message()), e.hint());
  }
  const auto passphrase = ask(fmt::format("passphrase of {}: ", name));
  if (!passphrase) {
    throw Error(ErrorKind::no_key,
                fmt::format("unable to open {}: it needs a passphrase, and there is no terminal", name),
                "run it on a terminal, or let CAIRN_IDENTITY_COMMAND print the identity");
  }
  try {
    return age::parse_identities(age::decrypt_with_passphrase(file.text(), passphrase->text()).text());
  } catch (const Error& e) {
    throw Error(e.kind() == ErrorKind::damaged ? ErrorKind::failed : e.kind(),
                fmt::format("unable to open {}: {}", name, e.message()), e.hint());
  }
}

SecretBytes output_of(const std::string& command) {
  const auto argv = split_command(command);
  if (argv.empty()) throw Error(ErrorKind::usage, "CAIRN_IDENTITY_COMMAND names no program");
  refuse_secret(argv.front(), "CAIRN_IDENTITY_COMMAND", "a command");
  // Others are looked up in PATH, which is root's.
  if (::geteuid() == 0 && argv.front().find('/') != std::string::npos) {
    if (const auto exposed = who_else_changes(argv.front(), 0)) {
      throw Error(ErrorKind::usage,
                  fmt::format("unable to run {} of CAIRN_IDENTITY_COMMAND as root: {}", quote(argv.front()), *exposed),
                  "have it and the directories above it belong to root and be written by root alone");
    }
  }
  std::optional<Pipeline> started;
  try {
    started.emplace(std::vector<std::vector<std::string>>{argv});
  } catch (const Error& e) {
    throw Error(ErrorKind::no_key,
                fmt::format("unable to get an identity from CAIRN_IDENTITY_COMMAND: {}", e.message()));
  }
  Pipeline& pipeline = *started;
  SecretBytes buffer{k_largest_file};
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const std::size_t n = pipeline.read(buffer.span().subspan(filled));
    if (n == 0) break;
    filled += n;
  }
  const auto status = pipeline.wait().front();
  if (!status.ok()) {
    throw Error(ErrorKind::no_key, fmt::format("unable to get an identity from CAIRN_IDENTITY_COMMAND: {} {}",
                                               quote(status.program), status.text()));
  }
  return SecretBytes{buffer.bytes().first(filled)};
}

}  // namespace

// Any thread may have taken it, and just before poll() began: so nobody waits for long.
void wait_for_line(int terminal) {
  constexpr int k_look_ms = 100;
  struct pollfd line {
    terminal, POLLIN, 0
  };
  for (;;) {
    if (interrupted_by() != 0) write_all(terminal, as_bytes("\n"), "/dev/tty");
    check_interrupted();
    const int ready = ::poll(&line, 1, k_look_ms);
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw_errno("read", "/dev/tty", errno);
  }
}

std::optional<SecretBytes> ask_on_terminal(const std::string& prompt) {
  const int opened = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (opened < 0) return std::nullopt;
  const UniqueFd terminal{opened};
  termios before{};
  if (::tcgetattr(terminal.get(), &before) != 0) return std::nullopt;
  struct Restore {
    int fd;
    const termios& settings;
    ~Restore() { ::tcsetattr(fd, TCSAFLUSH, &settings); }
  } const restore{terminal.get(), before};
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  silent.c_lflag |= ICANON;
  if (::tcsetattr(terminal.get(), TCSAFLUSH, &silent) != 0) return std::nullopt;
  write_all(terminal.get(), as_bytes(prompt), "/dev/tty");
  SecretBytes line{k_longest_passphrase};
  wait_for_line(terminal.get());
  const std::size_t n = read_some(terminal.get(), line.span(), "/dev/tty");
  write_all(terminal.get(), as_bytes("\n"), "/dev/tty");
  std::size_t length = n;
  if (length != 0 && line.data()[length - 1] == '\n') --length;
  return SecretBytes{line.bytes().first(length)};
}

std::vector<age::Identity> load_identities(const IdentitySettings& settings, const EnvironmentLookup& environment,
                                           Reporter& reporter, const AskPassphrase& ask) {
  std::vector<age::Identity> out;
  const auto add_file = [&](const fs::path& path, std::string_view given_by) {
    refuse_secret(path.native(), given_by);
    auto identities = parse(read_secret_file(path, reporter), quote(path.native()), ask);
    std::move(identities.begin(), identities.end(), std::back_inserter(out));
  };
  if (!settings.options.empty()) {
    for (const auto& file : settings.options) add_file(file, "--identity");
  } else if (const auto file = nonempty(environment, "CAIRN_IDENTITY")) {
    add_file(*file, "CAIRN_IDENTITY");
  } else if (const auto command = nonempty(environment, "CAIRN_IDENTITY_COMMAND")) {
    out = parse(output_of(*command), "what CAIRN_IDENTITY_COMMAND prints", ask);
  } else if (settings.configured) {
    add_file(*settings.configured, "'identity' in the configuration");
  }
  return out;
}

std::vector<std::string> split_command(const std::string& text) {
  std::vector<std::string> out;
  bool in_word = false;
  char quoted = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool escape = c == '\\' && quoted != '\'' && i + 1 < text.size();
    if (quoted == 0 && (c == ' ' || c == '\t' || c == '\n')) {
      in_word = false;
      continue;
    }
    if (!in_word) out.emplace_back();
    in_word = true;
    if (escape) {
      out.back() += text[++i];
    } else if (quoted == 0 && (c == '\'' || c == '"')) {
      quoted = c;
    } else if (c == quoted) {
      quoted = 0;
    } else {
      out.back() += c;
    }
  }
  if (quoted != 0) throw Error(ErrorKind::usage, "a quote in a command is not closed");
  return out;
}

}  // namespace cairn
