// The environment of a test: nothing of the machine's own settings.
#pragma once

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <strings.h>
#include <unistd.h>
#include <vector>

namespace cairn::test {

// Takes out of this process's environment what the program, its libraries and what they start would read of the
// machine's owner: configuration, keys, stores, proxies, a home. Variables for the tests stay. To be called before any
// thread is started.
inline void clean_environment() {
  static constexpr std::array<std::string_view, 3> k_settings{"AWS_", "CAIRN_", "XDG_"};
  static constexpr std::array<std::string_view, 3> k_for_tests{"CAIRN_TEST_", "CAIRN_AGE_VECTORS",
                                                               "CAIRN_SIGV4_VECTORS"};
  static constexpr std::array<const char*, 4> k_proxies{"http_proxy", "https_proxy", "all_proxy", "no_proxy"};
  std::vector<std::string> unwanted;
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) {
    const std::string_view variable{*item};
    const std::string name{variable.substr(0, variable.find('='))};
    bool drop = false;
    for (const auto prefix : k_settings) drop = drop || name.starts_with(prefix);
    for (const auto prefix : k_for_tests) drop = drop && !name.starts_with(prefix);
    for (const char* proxy : k_proxies) drop = drop || ::strcasecmp(name.c_str(), proxy) == 0;
    if (drop) unwanted.push_back(name);
  }
  for (const auto& name : unwanted) ::unsetenv(name.c_str());
  // Where a configuration is named, /etc and HOME are not asked.
  ::setenv("CAIRN_CONFIG", "/dev/null", 1);
  ::setenv("HOME", "/nonexistent", 1);
}

}  // namespace cairn::test
