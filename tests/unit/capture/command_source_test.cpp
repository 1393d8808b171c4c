#include "capture/command_source.hpp"

#include "util/error.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

CommandSource make_source(std::vector<std::vector<std::string>> stages) {
  return CommandSource{CommandOptions{std::move(stages), "dump.sql"}};
}

std::string drain(Content& content) {
  std::string text;
  Bytes buffer(4096);
  for (;;) {
    const Content::Piece piece = content.read(buffer);
    if (piece.kind == Content::Piece::Kind::end) return text;
    REQUIRE(piece.kind == Content::Piece::Kind::data);
    text += as_text(ByteView{buffer}.first(static_cast<std::size_t>(piece.length)));
  }
}

std::string failure(CommandSource& source) {
  auto item = source.next();
  REQUIRE(item);
  const auto content = item->content->open(item->entry);
  drain(*content);
  try {
    content->finish();
  } catch (const SourceError& e) {
    CHECK(e.kind() == ErrorKind::failed);
    return e.message();
  }
  return "";
}

}  // namespace

TEST_CASE("command: one private file with the output") {
  auto source = make_source({{"echo", "hello"}});
  const Time before = source.cut_point();
  auto item = source.next();
  REQUIRE(item);
  CHECK(item->entry.path == "dump.sql");
  CHECK(item->entry.type == EntryType::file);
  CHECK(item->entry.mode == 0600);
  CHECK(item->content->always_read());
  const auto content = item->content->open(item->entry);
  CHECK(content->rule().kind == ChunkRule::Kind::stream);
  CHECK(drain(*content) == "hello\n");
  CHECK(content->finish() == Content::Outcome::consistent);
  CHECK(source.cut_point() >= before);
  CHECK(item->entry.mtime == source.cut_point());
  CHECK_FALSE(source.next());
  CHECK(source.problems().empty());
}

TEST_CASE("command: a producer that fails after its last byte is a failure, of any stage") {
  auto late = make_source({{"sh", "-c", "echo data; exit 1"}});
  CHECK(failure(late) == "producer 'sh' exited with status 1");
  auto first = make_source({{"false"}, {"cat"}});
  CHECK(failure(first) == "producer 'false' exited with status 1");
  auto killed = make_source({{"sh", "-c", "kill -TERM $$"}, {"cat"}});
  CHECK(failure(killed) == "producer 'sh' was killed by signal 15 (Terminated)");
  auto fine = make_source({{"echo", "x"}, {"tr", "x", "y"}});
  CHECK(failure(fine).empty());
}

TEST_CASE("command: the producer's last words are in the message, made safe") {
  auto source = make_source({{"sh", "-c", "printf 'first\\nno such \\033[31mdatabase\\n\\n' >&2; exit 2"}});
  CHECK(failure(source) == "producer 'sh' exited with status 2: no such \\x1b[31mdatabase");
}

TEST_CASE("command: a program that does not exist is a source's failure") {
  auto source = make_source({{"/nonexistent/pg_dump"}});
  auto item = source.next();
  CHECK_THROWS_AS(item->content->open(item->entry), SourceError);
}

TEST_CASE("command: it runs once") {
  auto source = make_source({{"true"}});
  auto item = source.next();
  item->content->open(item->entry);
  CHECK_THROWS_AS(item->content->open(item->entry), SourceError);
}

TEST_CASE("command: location names the programs and none of their arguments") {
  CHECK(make_source({{"pg_dump", "--password=secret"}, {"gzip", "-9"}}).location() == "pg_dump | gzip");
}

TEST_CASE("command: what is no command or no name is refused") {
  CHECK_THROWS_AS(make_source({}), Error);
  CHECK_THROWS_AS(make_source({{"true"}, {}}), Error);
  for (const char* name : {"", ".", "..", "a/b"}) {
    CHECK_THROWS_AS(CommandSource(CommandOptions{{{"true"}}, name}), Error);
  }
}
