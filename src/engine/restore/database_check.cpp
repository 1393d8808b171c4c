#include "engine/restore/database_check.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// The kernel takes no more of a request than its window, which is this by default.
constexpr std::uint64_t k_window = 128 << 10;

// A check reads pages in the order of their trees. Of a clone nothing is in memory yet, and each would be waited for
// alone: measured, three times as long. One that memory cannot hold is left to the check.
void read_ahead(int file, std::uint64_t size) {
  const auto memory =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (size > memory / 2) return;
  for (std::uint64_t at = 0; at < size; at += k_window) {
    ::posix_fadvise(file, static_cast<off_t>(at), static_cast<off_t>(k_window), POSIX_FADV_WILLNEED);
  }
}

}  // namespace

std::string recorded_schema(const Manifest& manifest) {
  if (manifest.facts.content.empty()) return {};
  const Json content = Json::parse("{" + manifest.facts.content + "}");
  const Json* const schema = content.find("schema_sha256");
  return schema != nullptr && schema->is_string() ? schema->string() : std::string{};
}

DatabaseCheck::DatabaseCheck(Reporter& reporter, std::string schema)
    : m_reporter(reporter), m_schema(std::move(schema)) {}

void DatabaseCheck::run(TreeWriter& writer, Restored& restored, const Replaces& replaces) {
  const auto databases = writer.take_databases();
  for (const auto& database : databases) m_all += database.size;
  for (const auto& database : databases) {
    check_interrupted();
    if (writer.has_log(database.path)) {
      m_reporter.warning(fmt::format("{} comes with a log of its own, and is not checked", quote(database.path)));
      continue;
    }
    const UniqueFd file = writer.open_finished(database.path);
    if (!file) {
      m_reporter.warning(fmt::format("database {} is not checked: this user may not read it", quote(database.path)));
      continue;
    }
    // The disk writes what was restored while its pages are looked at: what makes it durable later finds little left.
    ::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    read_ahead(file.get(), database.size);
    const auto problem = broken(file.get(), database.path);
    m_bytes += database.size;
    if (!problem) continue;
    if (!replaces(database.path)) {
      restored.problems.push_back(
          {database.path, *problem + "; it is as it was captured", RestoreProblem::Kind::unsound});
      continue;
    }
    writer.remove_finished(database.path);
    --restored.files;
    restored.bytes -= std::min(restored.bytes, database.size);
    restored.problems.push_back(
        {database.path, *problem + "; --no-check restores it as it is", RestoreProblem::Kind::broken});
  }
  std::sort(restored.problems.begin(), restored.problems.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
}

std::optional<std::string> DatabaseCheck::broken(int file, const std::string& path) {
  const auto progress = [this](std::uint64_t read) {
    m_reporter.progress("check", std::min(m_bytes + read, m_all), m_all);
  };
  const sqlite::Checked checked = m_checker.check(file, path, progress);
  const auto text = [&](std::string_view why) { return fmt::format("the database is broken: {}", why); };
  if (checked.verdict == sqlite::Checked::Verdict::broken) return text(terminal_safe(checked.message));
  if (checked.verdict == sqlite::Checked::Verdict::unknown) {
    m_reporter.warning(
        fmt::format("database {} could not be checked: {}", quote(path), terminal_safe(checked.message)));
    return std::nullopt;
  }
  if (m_schema.empty() || checked.schema_digest == m_schema) return std::nullopt;
  if (checked.schema_digest.empty()) {
    m_reporter.warning(
        fmt::format("the schema of database {} could not be compared: this SQLite cannot read it", quote(path)));
    return std::nullopt;
  }
  return text("its schema is not the one that was captured");
}

}  // namespace cairn
