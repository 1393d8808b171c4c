// Captures databases while other processes write and checkpoint them, and checks that each image is exactly one
// committed state.
//
//   sqlite_hammer --matrix CAPTURES [--seed N]    every combination of modes and moments
//   sqlite_hammer --large DATABASES [--seed N]    databases beyond 1 GiB, 1 to 3
//   sqlite_hammer --planted CAPTURES [--seed N]   a fault of the capturing process, which must be found
//   sqlite_hammer [--size MB] [--writers N] [--pause MS] [--seconds N] [--captures N] [--rounds N]
//                 [--modes auto,full,...]         what the writers notice of it
// and, with each, [--directory PATH].
#include "capture/sqlite/reader_main.hpp"
#include "matrix.hpp"
#include "pace.hpp"

#include <cstdio>
#include <exception>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <fmt/format.h>

namespace {

using namespace cairn;
using namespace cairn::hammer;

class Options {
 public:
  Options(int argc, char** argv) {
    if (argc % 2 == 0) throw std::runtime_error{"an option has no value"};
    for (int i = 1; i + 1 < argc; i += 2) m_values[argv[i]] = argv[i + 1];
  }
  std::optional<std::string> take(const char* name) {
    const auto at = m_values.find(name);
    if (at == m_values.end()) return std::nullopt;
    std::string value = at->second;
    m_values.erase(at);
    return value;
  }
  template <class Number>
  bool take(const char* name, Number& to) {
    const auto value = take(name);
    if (value) to = static_cast<Number>(std::stoll(*value));
    return value.has_value();
  }
  void expect_none() const {
    if (!m_values.empty()) throw std::runtime_error{"unknown option " + m_values.begin()->first};
  }

 private:
  std::map<std::string, std::string> m_values;
};

PaceSettings pace_settings(Options& options) {
  PaceSettings settings;
  options.take("--size", settings.size_mb);
  options.take("--writers", settings.writers);
  options.take("--pause", settings.pause_ms);
  options.take("--seconds", settings.seconds);
  options.take("--captures", settings.captures);
  options.take("--rounds", settings.rounds);
  if (const auto modes = options.take("--modes")) {
    settings.modes.clear();
    std::istringstream list{*modes};
    for (std::string mode; std::getline(list, mode, ',');) settings.modes.push_back(mode);
  }
  return settings;
}

int run(int argc, char** argv) {
  Options options{argc, argv};
  const fs::path parent = options.take("--directory").value_or(fs::temp_directory_path().native());
  int count = 0;
  std::uint64_t seed = 1;
  const bool seeded = options.take("--seed", seed);
  for (const auto& [name, action] :
       {std::pair{"--matrix", &run_matrix}, std::pair{"--large", &run_large}, std::pair{"--planted", &run_planted}}) {
    if (!options.take(name, count)) continue;
    options.expect_none();
    return action(parent, count, seed);
  }
  if (seeded) throw std::runtime_error{"--seed needs --matrix, --large or --planted"};
  const PaceSettings settings = pace_settings(options);
  options.expect_none();
  return run_pace(parent, settings);
}

}  // namespace

int main(int argc, char** argv) {
  if (const int status = cairn::sqlite::run_as_reader(argc, argv); status >= 0) return status;
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "sqlite_hammer: {}\n", error.what());
    return 1;
  }
}
