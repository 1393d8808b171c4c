#include "capture/unsized_content.hpp"

#include "capture/directory_source.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <fcntl.h>
#include <string>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

struct Pipe {
  Pipe() { REQUIRE(::pipe2(m_ends, O_NONBLOCK | O_CLOEXEC) == 0); }
  UniqueFd read_end() { return UniqueFd{m_ends[0]}; }
  UniqueFd write_end() { return UniqueFd{m_ends[1]}; }
  int m_ends[2];
};

std::string all_of(Content& content) {
  std::string out;
  Bytes buffer(1000);
  for (;;) {
    const auto piece = content.read(buffer);
    if (piece.kind == Content::Piece::Kind::end) return out;
    out += as_text(ByteView{buffer}.first(piece.length));
  }
}

std::string captured(const fs::path& path) {
  DirectorySource source{{.path = path, .exclude = {}, .include = {}}};
  auto item = source.next();
  REQUIRE(item);
  REQUIRE(item->content);
  CHECK(item->entry.size == 0);
  CHECK(item->content->always_read());
  const auto content = item->content->open(item->entry);
  const std::string out = all_of(*content);
  CHECK(content->finish() == Content::Outcome::consistent);
  CHECK(source.problems().empty());
  return out;
}

}  // namespace

TEST_CASE("unsized: files of /proc are captured with what they hold, though they say 0") {
  CHECK(captured("/proc/sys/kernel/ostype") == "Linux\n");
  CHECK(captured("/proc/version") == as_text(read_file("/proc/version")));
  // Longer than one read(2) gives.
  CHECK(captured("/proc/kallsyms").size() > 100'000);
}

TEST_CASE("unsized: an empty file is one, and is asked nothing more") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  UniqueFd fd{::open((directory.path() / "empty").c_str(), O_CREAT | O_RDWR | O_NONBLOCK | O_CLOEXEC, 0600)};
  REQUIRE(fd);
  CHECK(open_unsized(fd, "empty", "empty") == nullptr);
  CHECK(fd);
}

TEST_CASE("unsized: what was written since is a change") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "file";
  UniqueFd out{::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
  REQUIRE(::write(out.get(), "text", 4) == 4);
  UniqueFd fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  const auto content = open_unsized(fd, "file", "file");
  REQUIRE(content);
  CHECK(all_of(*content) == "text");
  CHECK(content->finish() == Content::Outcome::changed);
}

TEST_CASE("unsized: what comes late is waited for, and what never ends is left out") {
  Pipe pipe;
  UniqueFd from = pipe.read_end();
  UniqueFd to = pipe.write_end();
  SUBCASE("late") {
    std::jthread writer{[&to] {
      std::this_thread::sleep_for(std::chrono::milliseconds{150});
      CHECK(::write(to.get(), "late", 4) == 4);
      to.reset();
    }};
    const auto content = open_unsized(from, "pipe", "pipe");
    REQUIRE(content);
    CHECK(all_of(*content) == "late");
  }
  SUBCASE("nothing") {
    UnsizedContent content{
        std::move(from), "/pipe", "pipe", {}, {.bytes = 100, .time = std::chrono::milliseconds{200}}};
    CHECK_THROWS_WITH_AS(all_of(content),
                         "unable to read '/pipe': it says that it is empty, and does not end within 200 ms",
                         SourceError);
  }
  SUBCASE("a little now and then") {
    std::jthread writer{[&to](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        CHECK(::write(to.get(), "x", 1) == 1);
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
      }
    }};
    UnsizedContent content{
        std::move(from), "/pipe", "pipe", {}, {.bytes = 10'000, .time = std::chrono::milliseconds{300}}};
    CHECK_THROWS_AS(all_of(content), SourceError);
    writer.request_stop();
  }
  SUBCASE("too much") {
    const Bytes text(60, 'x');
    UnsizedContent content{
        std::move(from), "/pipe", "pipe", Bytes(50, 'x'), {.bytes = 100, .time = std::chrono::seconds{60}}};
    CHECK(::write(to.get(), text.data(), text.size()) == 60);
    CHECK_THROWS_WITH_AS(all_of(content), "unable to read '/pipe': it says that it is empty, and has more than 100 B",
                         SourceError);
  }
  SUBCASE("a signal") {
    UnsizedContent content{std::move(from), "/pipe", "pipe", {}, {.bytes = 100, .time = std::chrono::seconds{60}}};
    set_interrupted(15);
    CHECK_THROWS_AS(all_of(content), Error);
    set_interrupted(0);
  }
}
