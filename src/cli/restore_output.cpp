#include "cli/restore_output.hpp"

#include "cli/output.hpp"
#include "cli/snapshot_text.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <cerrno>
#include <ios>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

// Bytes that a pipe holds.
constexpr std::size_t k_write = 64 * 1024;
constexpr int k_poll_milliseconds = 100;

class StandardOutput : public StreamOutput {
 public:
  explicit StandardOutput(Session& session) : m_session(session) {}

  void write(ByteView bytes) override {
    const int fd = m_session.io().out_descriptor;
    while (!bytes.empty()) {
      const ByteView piece = bytes.first(std::min(bytes.size(), k_write));
      bytes = bytes.subspan(fd < 0 ? print(piece) : write_some(fd, piece));
    }
  }

 private:
  std::size_t print(ByteView bytes) {
    m_session.out().write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size()));
    m_session.check_output();
    return bytes.size();
  }

  // A reader that stands still must not keep a signal from ending this.
  static std::size_t write_some(int fd, ByteView bytes) {
    struct pollfd out {
      fd, POLLOUT, 0
    };
    if (::poll(&out, 1, k_poll_milliseconds) <= 0) {
      check_interrupted();
      return 0;
    }
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) return static_cast<std::size_t>(written);
    if (errno != EINTR && errno != EAGAIN) throw OutputLost{": " + errno_text(errno)};
    check_interrupted();
    return 0;
  }

  Session& m_session;
};

}  // namespace

namespace {

using Kind = RestoreProblem::Kind;

std::size_t count_of(const std::vector<RestoreProblem>& problems, Kind kind) {
  return static_cast<std::size_t>(
      std::count_if(problems.begin(), problems.end(), [&](const auto& problem) { return problem.kind == kind; }));
}

std::string_view fault_text(std::size_t damaged, std::size_t broken) {
  if (broken == 0) return "damaged in the store";
  return damaged == 0 ? "broken when captured" : "damaged in the store or broken when captured";
}

}  // namespace

void print_problems(Session& session, const std::vector<RestoreProblem>& problems) {
  for (const auto& problem : problems) {
    const char* const told = problem.kind == Kind::unsound ? "{} was restored, and {}" : "unable to restore {}: {}";
    session.print_error(Error(problem.kind == Kind::unfit ? ErrorKind::failed : ErrorKind::damaged,
                              fmt::format(fmt::runtime(told), quote(problem.path), problem.message)));
  }
}

ExitStatus print_left_out(Session& session, const std::vector<RestoreProblem>& problems, const std::string& where) {
  const std::size_t unfit = count_of(problems, Kind::unfit);
  const std::size_t damaged = count_of(problems, Kind::damaged);
  const std::size_t broken = count_of(problems, Kind::broken);
  const std::size_t unsound = count_of(problems, Kind::unsound);
  ExitStatus status = ExitStatus::done;
  if (unfit != 0) {
    session.print_error(
        Error(ErrorKind::failed,
              fmt::format("{} left out of {}: its file system cannot have {}",
                          counted(unfit, "entry was", "entries were"), where, unfit == 1 ? "it" : "them"),
              "restore them to another file system, or as an archive: TARGET - with --tar"));
    status = ExitStatus::failed;
  }
  if (damaged + broken != 0) {
    session.print_error(Error(ErrorKind::damaged,
                              fmt::format("{} left out of {}, {}", counted(damaged + broken, "file was", "files were"),
                                          where, fault_text(damaged, broken)),
                              "another snapshot, or another store, may have them whole: restore those with --path"));
  }
  return damaged + broken + unsound != 0 ? gravest(status, ExitStatus::damaged) : status;
}

bool is_standard_output(const std::string& target) {
  return target == "-";
}

void check_output_options(const Session& session, const std::string& target, const OutputOptions& options) {
  if (!is_standard_output(target)) {
    if (!options.tar) return;
    throw Error(ErrorKind::usage, "--tar writes to standard output: TARGET must be -",
                "redirect it to have the archive in a file");
  }
  for (const auto& [name, given] : options.of_files) {
    if (!given) continue;
    throw Error(ErrorKind::usage, fmt::format("{} does not go together with standard output as TARGET", name),
                "a directory that is called - is ./-");
  }
  if (session.json() && !options.plan) {
    throw Error(ErrorKind::usage, "--json does not go together with standard output as TARGET: the content goes there",
                "the exit status tells whether all of it was written");
  }
}

ExitStatus restore_to_output(Session& session, Context& context, const Manifest& manifest,
                             const RestoreRequest& request, StreamShape shape) {
  StandardOutput output{session};
  const StreamResult result = stream_snapshot(context, manifest, request, shape, output);
  session.reporter().clear_progress();
  session.reporter().info(fmt::format("restored snapshot {} to standard output, {}", short_id(manifest.id),
                                      counted(result.entries, "entry", "entries")));
  if (result.sockets != 0) {
    session.reporter().warning(fmt::format("{} left out: an archive has no form for them",
                                           counted(result.sockets, "socket was", "sockets were")));
  }
  print_problems(session, result.problems);
  return print_left_out(session, result.problems, "the archive");
}

}  // namespace cairn
