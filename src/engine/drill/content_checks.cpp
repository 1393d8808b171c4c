#include "engine/drill/content_checks.hpp"

#include "engine/drill/drill_comparison.hpp"
#include "engine/drill/dump_survey.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

using Result = DrillCheck::Result;

// A database has said no more than this of itself; a broken child may say more.
constexpr std::size_t k_most_items = 200'000;
constexpr std::size_t k_read_at_once = 1U << 20;

DrillInventory inventory_of(const char* kind, const RestoredFile& file) {
  DrillInventory held;
  held.path = terminal_safe(file.path);
  held.kind = kind;
  held.bytes = file.size;
  held.newest = file.mtime;
  return held;
}

void add_item(DrillInventory& held, std::vector<std::string>& bad, const sqlite::CheckedItem& item) {
  using Kind = sqlite::CheckedItem::Kind;
  // A record can hold it, whatever names somebody gave his tables.
  std::string name = terminal_safe(item.name);
  const std::uint64_t number = std::min(item.number, k_max_integer);
  switch (item.kind) {
    case Kind::table:
      held.counts[std::move(name)] = number;
      break;
    case Kind::element:
      held.elements.push_back(std::move(name));
      break;
    case Kind::broken_key:
      held.broken[std::move(name)] = number;
      break;
    case Kind::counter:
      held.counters[std::move(name)] = number;
      break;
    case Kind::bad_schema:
      bad.push_back(std::move(name));
      break;
  }
}

// "215; 1259 16386 TABLE public users owner" without its numbers, which change with each dump.
std::string entry_of(std::string_view line) {
  const auto end = line.find("; ");
  if (end == std::string_view::npos) return terminal_safe(line);
  line.remove_prefix(end + 2);
  for (int i = 0; i < 2; ++i) {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) break;
    line.remove_prefix(blank + 1);
  }
  return terminal_safe(line);
}

}  // namespace

ContentChecks::ContentChecks(Reporter& reporter, const fs::path& directory, std::string schema, DrillCommands& commands)
    : m_reporter(reporter),
      m_path(directory),
      m_directory(open_file(directory, O_RDONLY | O_DIRECTORY)),
      m_schema(std::move(schema)),
      m_commands(commands) {}

void ContentChecks::add(std::string name, Result result, std::string message) {
  checks.push_back({std::move(name), result, std::move(message)});
}

void ContentChecks::check_database(const RestoredFile& file) {
  const std::string shown = terminal_safe(file.path);
  const std::string name = check_name("integrity", shown);
  if (open_beneath(m_directory.get(), file.path + "-wal", O_PATH)) {
    return add(name, Result::skipped, "it comes with a log of its own");
  }
  const UniqueFd image = open_for_capture(m_directory.get(), file.path);
  if (!image) return add(name, Result::skipped, "this user may not read it");
  DrillInventory held = inventory_of("sqlite", file);
  std::vector<std::string> bad;
  std::size_t items = 0;
  const auto progress = [&](std::uint64_t read) {
    m_reporter.progress("checks", std::min(read, file.size), file.size);
  };
  const sqlite::Checked checked = m_checker.examine(image.get(), file.path, progress, [&](const auto& item) {
    if (++items <= k_most_items) add_item(held, bad, item);
  });
  using Verdict = sqlite::Checked::Verdict;
  if (checked.verdict == Verdict::broken) return add(name, Result::failed, terminal_safe(checked.message));
  if (checked.verdict == Verdict::unknown) return add(name, Result::skipped, terminal_safe(checked.message));
  add(name, Result::passed);
  std::sort(held.elements.begin(), held.elements.end());
  held.digest = is_hex(checked.schema_digest) ? checked.schema_digest : std::string{};
  for (const auto& message : bad) add(check_name("keys", shown), Result::failed, message);
  if (!m_schema.empty() && held.digest.empty()) {
    add(check_name("captured schema", shown), Result::skipped, "this SQLite cannot read it");
  } else if (!m_schema.empty()) {
    const bool same = held.digest == m_schema;
    add(check_name("captured schema", shown), same ? Result::passed : Result::failed,
        same ? "" : "its schema is not the one that was captured");
  }
  inventories.push_back(std::move(held));
}

void ContentChecks::check_dump(const RestoredFile& file) {
  const UniqueFd fd = open_for_capture(m_directory.get(), file.path);
  if (!fd) return add(check_name("dump", terminal_safe(file.path)), Result::skipped, "this user may not read it");
  DrillInventory held = inventory_of("dump", file);
  Bytes head(k_dump_head);
  head.resize(read_at(fd.get(), head, 0, file.path));
  if (dump_kind(head) == DumpKind::postgresql_custom) {
    check_custom_dump(file, held);
  } else {
    check_plain_dump(file, fd.get(), held);
  }
  inventories.push_back(std::move(held));
}

void ContentChecks::check_custom_dump(const RestoredFile& file, DrillInventory& held) {
  const std::string name = check_name("dump", held.path);
  const std::string path = (m_path / file.path).native();
  if (m_commands.output_of({"pg_restore", "--version"}).failure) {
    return add(name, Result::skipped, "pg_restore is not installed here");
  }
  const auto list = m_commands.output_of({"pg_restore", "--list", path});
  if (list.failure) return add(name, Result::failed, fmt::format("pg_restore --list: {}", *list.failure));
  for (const auto& line : list.lines) {
    if (!line.empty() && line.front() != ';') held.elements.push_back(entry_of(line));
  }
  std::sort(held.elements.begin(), held.elements.end());
  // The list is at its beginning; this reads to the end.
  const auto whole = m_commands.output_of({"pg_restore", "--file=/dev/null", path});
  if (whole.failure) return add(name, Result::failed, fmt::format("pg_restore: {}", *whole.failure));
  add(name, Result::passed);
}

void ContentChecks::check_plain_dump(const RestoredFile& file, int fd, DrillInventory& held) {
  Bytes buffer(k_read_at_once);
  buffer.resize(read_at(fd, buffer, 0, file.path));
  const DumpKind kind = dump_kind(ByteView{buffer}.first(std::min(buffer.size(), k_dump_head)));
  DumpSurvey survey{kind};
  for (std::uint64_t offset = 0; !buffer.empty();) {
    check_interrupted();
    survey.add(as_text(buffer));
    offset += buffer.size();
    buffer.resize(k_read_at_once);
    buffer.resize(read_at(fd, buffer, offset, file.path));
  }
  survey.finish();
  held.counts = survey.rows();
  held.elements.assign(survey.elements().begin(), survey.elements().end());
  const std::string name = check_name("dump", held.path);
  if (survey.complete()) return add(name, Result::passed);
  add(name, Result::failed, fmt::format("it does not end as {} ends a dump: it was cut", dump_program(kind)));
}

void ContentChecks::note_other(const RestoredFile& file) {
  inventories.push_back(inventory_of("file", file));
}

}  // namespace cairn
