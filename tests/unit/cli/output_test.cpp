#include "cli/output.hpp"

#include "cli/console_reporter.hpp"

#include <sstream>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("a table is as wide as it has to be and leaves out what is empty") {
  Table table{{{"ID"}, {"SIZE", Table::Align::right}, {"TAGS"}}};
  table.add({"a", "1 B", ""});
  table.add({"bcd", "12 KiB", ""});
  std::ostringstream out;
  table.print(out);
  CHECK(out.str() == "ID     SIZE\na       1 B\nbcd  12 KiB\n");
}

TEST_CASE("a table counts code points and does not let a name drive the terminal") {
  Table table{{{"NAME"}, {"X"}}};
  table.add({"\xc3\xa4\xc3\xb6", "1"});
  table.add({"a\x1b[31m\n", "2"});
  std::ostringstream out;
  table.print(out);
  CHECK(out.str() == "NAME           X\n\xc3\xa4\xc3\xb6             1\na\\x1b[31m\\x0a  2\n");
}

TEST_CASE("fields are aligned") {
  FieldList fields;
  fields.add("a", "1");
  fields.add("long", "2\x07");
  std::ostringstream out;
  fields.print(out);
  CHECK(out.str() == "  a     1\n  long  2\\x07\n");
}

TEST_CASE("text that is not UTF-8 goes into JSON as base64") {
  JsonWriter to = begin_document("list");
  text_member(to, "source", "ok");
  text_member(to, "path", "\xff/x");
  to.end_object();
  CHECK(to.text() == R"({"schema":"cairn.list/1","source":"ok","path_b64":"/y94"})");
}

TEST_CASE("progress has a rate and the time to go once they mean something") {
  using namespace std::chrono_literals;
  CHECK(progress_text("verify", 512, 0, 0, 100ms) == "verify 512 B");
  CHECK(progress_text("verify", 512, 1024, 0, 100ms) == "verify 512 B of 1.0 KiB (50 %)");
  const std::string text = progress_text("verify", 10240, 30720, 0, 10s);
  CHECK(text.starts_with("verify 10.0 KiB of 30.0 KiB (33 %), 1.0 KiB/s, "));
  CHECK(text.ends_with(" to go"));
  // More done than was expected: no percentage, no time.
  CHECK(progress_text("snapshot", 2048, 1024, 0, 2s) == "snapshot 2.0 KiB, 1.0 KiB/s");
  // The rate is of this phase, not of what was done before it.
  CHECK(progress_text("snapshot", 2048, 0, 1024, 1s) == "snapshot 2.0 KiB, 1.0 KiB/s");
}

TEST_CASE("progress is removed before a warning is printed, and never shown where it is not asked for") {
  std::ostringstream shown;
  LogOutput log{shown, LogOutput::Form::people, "", {}};
  ConsoleReporter with{shown, log, ConsoleReporter::Level::normal, ConsoleReporter::Progress::yes};
  with.progress("verify", 1, 2);
  with.warning("a\nb");
  CHECK(shown.str() == "verify 1 B of 2 B (50 %)\r\x1b[Kcairn: warning: a\\x0ab\n");

  std::ostringstream hidden;
  LogOutput to_hidden{hidden, LogOutput::Form::people, "", {}};
  ConsoleReporter without{hidden, to_hidden, ConsoleReporter::Level::quiet, ConsoleReporter::Progress::no};
  without.progress("verify", 1, 2);
  without.info("nothing");
  without.clear_progress();
  CHECK(hidden.str().empty());
}
