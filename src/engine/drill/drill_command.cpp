#include "engine/drill/drill_command.hpp"

#include "util/error.hpp"
#include "util/process.hpp"
#include "util/units.hpp"

#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

// More than a check prints; what is beyond is not kept.
constexpr std::size_t k_most_output = 1U << 20;
constexpr std::size_t k_shown_output = 300;

std::string trimmed(const std::string& text) {
  constexpr const char* k_blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(k_blanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(k_blanks) - begin + 1);
}

std::string shown(const std::string& text) {
  const std::string safe = terminal_safe(text);
  return safe.size() <= k_shown_output ? quote(safe) : quote(safe.substr(0, k_shown_output) + "...");
}

}  // namespace

DrillCommands::DrillCommands(Reporter& reporter, fs::path directory,
                             std::vector<std::pair<std::string, std::string>> environment, Nanoseconds timeout)
    : m_reporter(reporter),
      m_directory(std::move(directory)),
      m_environment(std::move(environment)),
      m_timeout(timeout) {}

std::vector<std::string> DrillCommands::without_network(std::vector<std::string> argv) {
  if (!m_wrapper) {
    m_wrapper.emplace();
    // Root needs no other user's names for it, and its programs keep its rights.
    const std::vector<std::string> wrapper =
        ::geteuid() == 0 ? std::vector<std::string>{"unshare", "--net", "--"}
                         : std::vector<std::string>{"unshare", "--map-current-user", "--net", "--"};
    std::vector<std::string> probe = wrapper;
    probe.emplace_back("true");
    const auto failure = any_failure_of([&] {
      if (!run_program(
               probe, {}, [](std::string_view) {}, m_timeout)
               .ok())
        throw Error(ErrorKind::failed, "refused");
    });
    if (failure) {
      m_reporter.warning("this system does not let a program run without network: the checks of the drill have it");
    } else {
      m_wrapper = wrapper;
    }
  }
  argv.insert(argv.begin(), m_wrapper->begin(), m_wrapper->end());
  return argv;
}

DrillCommands::Printed DrillCommands::output_of(const std::vector<std::string>& argv, int status) {
  Printed printed;
  std::size_t kept = 0;
  ProcessOptions options;
  options.environment = m_environment;
  options.directory = m_directory;
  const auto failure = any_failure_of([&] {
    const auto exit = run_program(
        without_network(argv), options,
        [&](std::string_view line) {
          if (kept + line.size() > k_most_output) return;
          kept += line.size() + 1;
          printed.lines.emplace_back(line);
        },
        m_timeout);
    if (exit.timed_out) {
      printed.failure = fmt::format("it took longer than {} and was ended", format_duration(m_timeout));
    } else if (exit.lost || exit.signal != 0 || exit.asked_terminal || exit.code != status) {
      printed.failure = fmt::format("it {}", exit.text());
    }
  });
  if (failure) printed.failure = failure->message();
  return printed;
}

DrillCheck DrillCommands::run(const std::string& name, const DrillCommand& command) {
  const Printed printed = output_of(command.argv, command.status);
  DrillCheck check{name, DrillCheck::Result::passed, {}};
  const std::string output = trimmed(fmt::format("{}", fmt::join(printed.lines, "\n")));
  if (printed.failure) {
    check.result = DrillCheck::Result::failed;
    check.message = *printed.failure + (output.empty() ? "" : ": " + shown(output));
  } else if (command.output && output != trimmed(*command.output)) {
    check.result = DrillCheck::Result::failed;
    check.message = fmt::format("it printed {}, and {} was expected", shown(output), shown(*command.output));
  }
  return check;
}

}  // namespace cairn
