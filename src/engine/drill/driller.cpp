#include "engine/drill/driller.hpp"

#include "engine/drill/content_checks.hpp"
#include "engine/drill/restored_tree.hpp"
#include "engine/restore/database_check.hpp"
#include "engine/restore/restorer.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>

namespace cairn {

namespace {

using Result = DrillCheck::Result;

constexpr const char* k_data = "data";
constexpr std::size_t k_named = 5;

class Drill {
 public:
  Drill(Context& context, const Manifest& manifest, const DrillRequest& request)
      : m_context(context), m_manifest(manifest), m_request(request) {
    m_record.series = manifest.record.series;
    m_record.id = manifest.id;
    m_record.cut_point = manifest.record.cut_point;
    m_record.time = context.clock();
    m_record.store = context.repository.descriptor().store_id;
    m_record.host = terminal_safe(context.host);
    m_record.versions = request.versions;
  }

  DrillRecord run() {
    const auto began = m_context.steady();
    const Nanoseconds read_before = reading();
    const auto damage = damage_of([&] { restore(); });
    m_record.recovery = m_request.listing + (m_context.steady() - began);
    add_phase("list", m_request.listing);
    add_phase("plan", m_restored.times.planning);
    add_phase("fetch", reading() - read_before, m_restored.bytes_fetched);
    add_phase("verify", m_restored.times.verifying);
    add_phase("write", m_restored.times.writing + m_restored.times.publishing, m_restored.bytes_written);
    if (damage) {
      m_record.checks.push_back({"restore", Result::failed, terminal_safe(damage->message())});
    } else {
      note_problems();
    }
    check_time();
    const auto checking = m_context.steady();
    if (!damage) {
      const auto unreadable = damage_of([&] { check_content(); });
      if (unreadable) m_record.checks.push_back({"content", Result::failed, terminal_safe(unreadable->message())});
    }
    add_phase("checks", m_context.steady() - checking);
    m_record.outcome = std::any_of(m_record.checks.begin(), m_record.checks.end(),
                                   [](const DrillCheck& check) { return check.result == Result::failed; })
                           ? DrillOutcome::failed
                           : DrillOutcome::passed;
    return std::move(m_record);
  }

 private:
  Nanoseconds reading() const { return m_request.reading != nullptr ? m_request.reading->total() : Nanoseconds{0}; }
  void add_phase(const char* name, Nanoseconds time, std::uint64_t bytes = 0) {
    m_record.phases.push_back({name, time, bytes});
  }

  void restore() {
    const fs::path directory = drill_directory(m_request.scratch);
    make_directories(directory, 0700);
    RestoreRequest request;
    request.target = directory;
    if (m_manifest.facts.single_file) request.target /= single_file_name(m_context, m_manifest);
    request.spool = m_request.spool;
    // They are looked at more thoroughly afterwards.
    request.check = false;
    m_restored = cairn::restore(m_context, m_manifest, request);
  }

  void note_problems() {
    DrillCheck check{"restore", Result::passed, {}};
    for (std::size_t i = 0; i < m_restored.problems.size(); ++i) {
      const auto& problem = m_restored.problems[i];
      m_left_out.insert(problem.path);
      check.result = Result::failed;
      if (i < k_named) check.message += (i == 0 ? "" : "; ") + terminal_safe(problem.message);
    }
    if (m_restored.problems.size() > k_named) {
      check.message += fmt::format("; and {} more", m_restored.problems.size() - k_named);
    }
    m_record.checks.push_back(std::move(check));
    if (m_manifest.record.incomplete) {
      m_record.checks.push_back(
          {"snapshot", Result::told, "it is incomplete: not all could be read when it was taken"});
    }
  }

  void check_time() {
    if (!m_request.max_recovery) return;
    const bool slow = m_record.recovery > *m_request.max_recovery;
    m_record.checks.push_back(
        {"recovery time", slow ? Result::failed : Result::passed,
         slow ? fmt::format("the restore took {}, and {} is the limit", format_duration(m_record.recovery),
                            format_duration(*m_request.max_recovery))
              : ""});
  }

  void check_content() {
    const fs::path directory = drill_directory(m_request.scratch);
    RestoredTree tree = survey_restored(m_context, m_manifest, directory, m_left_out);
    append(tree.checks);
    const bool single = m_manifest.facts.single_file;
    DrillCommands commands{m_context.reporter, directory, m_request.environment, m_request.timeout};
    ContentChecks content{m_context.reporter, directory, single ? recorded_schema(m_manifest) : std::string{},
                          commands};
    for (const auto& file : tree.databases) content.check_database(file);
    for (const auto& file : tree.dumps) content.check_dump(file);
    for (const auto& file : tree.others) content.note_other(file);
    m_context.reporter.progress("checks", 1, 1);
    append(content.checks);
    if (!single) m_record.inventories.push_back(std::move(tree.inventory));
    std::move(content.inventories.begin(), content.inventories.end(), std::back_inserter(m_record.inventories));
    append(compare_inventories(m_record, m_request.before, m_request.limits));
    for (std::size_t i = 0; i < m_request.commands.size(); ++i) {
      const auto& command = m_request.commands[i];
      m_record.checks.push_back(
          commands.run(fmt::format("command {} ({})", i + 1, terminal_safe(command.argv.front())), command));
    }
  }

  void append(std::vector<DrillCheck> checks) {
    std::move(checks.begin(), checks.end(), std::back_inserter(m_record.checks));
  }

  Context& m_context;
  const Manifest& m_manifest;
  const DrillRequest& m_request;
  DrillRecord m_record;
  RestoreResult m_restored;
  std::set<std::string> m_left_out;
};

}  // namespace

fs::path drill_directory(const fs::path& scratch) {
  return scratch / k_data;
}

DrillRecord drill(Context& context, const Manifest& manifest, const DrillRequest& request) {
  manifest.require_open();
  return Drill{context, manifest, request}.run();
}

const DrillRecord* last_passed(const std::vector<StoredDrill>& drills, Time cut_point) {
  const DrillRecord* last = nullptr;
  const auto rank = [](const DrillRecord& record) { return std::tie(record.cut_point, record.time); };
  for (const auto& drill : drills) {
    const DrillRecord& record = drill.record;
    if (!drill.trusted || record.closed || record.outcome != DrillOutcome::passed) continue;
    if (record.cut_point > cut_point) continue;
    if (last == nullptr || rank(*last) < rank(record)) last = &record;
  }
  return last;
}

bool drill_is_due(const std::vector<StoredDrill>& drills, Nanoseconds every, Time now) {
  return std::none_of(drills.begin(), drills.end(), [&](const StoredDrill& drill) {
    return drill.trusted && elapsed(drill.record.time, now) < every;
  });
}

std::string told_text(const DrillRecord& record, DrillCheck::Result result) {
  std::string text;
  std::size_t count = 0;
  for (const auto& check : record.checks) {
    if (check.result != result || ++count > k_named) continue;
    if (!text.empty()) text += "; ";
    text += check.message.empty() ? check.name : fmt::format("{}: {}", check.name, check.message);
  }
  if (count > k_named) text += fmt::format("; and {} more", count - k_named);
  return text;
}

}  // namespace cairn
