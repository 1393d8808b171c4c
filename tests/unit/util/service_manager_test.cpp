#include "util/service_manager.hpp"

#include "util/file.hpp"
#include "util/interrupt.hpp"

#include <cstddef>
#include <cstring>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

using namespace cairn;

namespace {

// A manager's end: a datagram socket at that name.
class Socket {
 public:
  explicit Socket(std::string name) : m_name(std::move(name)), m_fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, m_name.data(), m_name.size());
    if (m_name[0] == '@') address.sun_path[0] = '\0';
    const auto size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + m_name.size() + (m_name[0] == '/' ? 1 : 0));
    REQUIRE(::bind(m_fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  }
  const std::string& name() const { return m_name; }
  // All that came since.
  std::vector<std::string> take() const {
    std::vector<std::string> out;
    char buffer[4096];
    for (;;) {
      const auto n = ::recv(m_fd.get(), buffer, sizeof(buffer), 0);
      if (n < 0) return out;
      out.emplace_back(buffer, static_cast<std::size_t>(n));
    }
  }

 private:
  std::string m_name;
  UniqueFd m_fd;
};

EnvironmentLookup lookup(const std::map<std::string, std::string>& values) {
  return [values](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(std::string{name});
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

using Messages = std::vector<std::string>;

}  // namespace

TEST_CASE("service manager: ready and status arrive, by a path and by an abstract name") {
  const TemporaryDirectory work{temporary_directory()};
  for (const std::string& name : {(work.path() / "s").native(), "@cairn-test-" + random_name()}) {
    const Socket socket{name};
    const auto manager = ServiceManager::find(lookup({{"NOTIFY_SOCKET", name}}));
    REQUIRE(manager);
    manager->ready();
    manager->set_status("app: reading 1 of 2 (50 %)\nREADY=0");
    // Its second line would be another message.
    CHECK(socket.take() == Messages{"READY=1", "STATUS=app: reading 1 of 2 (50 %)\\x0aREADY=0"});
  }
}

TEST_CASE("service manager: where there is none nobody is told") {
  const TemporaryDirectory work{temporary_directory()};
  CHECK_FALSE(ServiceManager::find(lookup({})));
  for (const std::string& name : {std::string{}, std::string{"relative"}, std::string{"@"}, std::string{"vsock:2:1"},
                                  (work.path() / "absent").native(), "/" + std::string(200, 'x')}) {
    CHECK_FALSE(ServiceManager::find(lookup({{"NOTIFY_SOCKET", name}})));
  }
}

TEST_CASE("service manager: the watchdog is fed where it is ours, and time asked for") {
  const Socket socket{"@cairn-test-" + random_name()};
  const std::string own = std::to_string(::getpid());
  const auto beaten = [&](const std::map<std::string, std::string>& values) {
    auto all = values;
    all["NOTIFY_SOCKET"] = socket.name();
    const auto manager = ServiceManager::find(lookup(all));
    manager->beat();
    manager->beat();  // at once: nothing more
    return socket.take();
  };
  const Messages fed{"WATCHDOG=1", "EXTEND_TIMEOUT_USEC=3600000000"};
  const Messages not_fed{"EXTEND_TIMEOUT_USEC=3600000000"};
  CHECK(beaten({{"WATCHDOG_USEC", "60000000"}, {"WATCHDOG_PID", own}}) == fed);
  CHECK(beaten({{"WATCHDOG_USEC", "60000000"}}) == fed);
  CHECK(beaten({{"WATCHDOG_USEC", "18446744073709551615"}}) == fed);
  CHECK(beaten({{"WATCHDOG_USEC", "60000000"}, {"WATCHDOG_PID", "1"}}) == not_fed);
  CHECK(beaten({{"WATCHDOG_USEC", "0"}}) == not_fed);
  CHECK(beaten({{"WATCHDOG_USEC", "1 s"}}) == not_fed);
  CHECK(beaten({}) == not_fed);
}

TEST_CASE("service manager: whoever looks for a signal gives a sign of life, again and again") {
  const Socket socket{"@cairn-test-" + random_name()};
  const auto manager = ServiceManager::find(lookup({{"NOTIFY_SOCKET", socket.name()}, {"WATCHDOG_USEC", "30000"}}));
  check_interrupted();
  CHECK(socket.take().empty());
  set_heartbeat(manager.get());
  std::size_t fed = 0;
  while (fed < 4) {  // ends by the test's own limit where none comes
    check_interrupted();
    for (const auto& message : socket.take()) fed += message == "WATCHDOG=1" ? 1U : 0U;
  }
  set_heartbeat(nullptr);
  check_interrupted();
  CHECK(socket.take().empty());
}

TEST_CASE("service manager: its variables go") {
  ::setenv("NOTIFY_SOCKET", "/x", 1);
  ::setenv("WATCHDOG_USEC", "1", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  ServiceManager::forget_environment();
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) CHECK(::getenv(name) == nullptr);
}
