#include "cli/previous_snapshots.hpp"

#include "cli/output.hpp"
#include "engine/restore/restorer.hpp"
#include "repo/future_dated.hpp"
#include "repo/objects.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_named = 5;  // paths in the warning; each has a line of its own besides

std::string paths_text(const std::vector<RestoreProblem>& problems) {
  std::string text;
  std::size_t named = 0;
  for (const auto& problem : problems) {
    if (problem.path.empty() || named == k_named) continue;
    text += (named++ == 0 ? "" : ", ") + quote(problem.path);
  }
  return text;
}

std::string lost_text(const std::vector<RestoreProblem>& problems) {
  const std::string paths = paths_text(problems);
  if (paths.empty()) return problems.front().message;
  const std::size_t others = problems.size() - std::min(problems.size(), k_named);
  return fmt::format("it has lost {}{}", paths, others == 0 ? "" : fmt::format(" and {} more", others));
}

}  // namespace

void FallbackChoice::declare(OptionSet& options) {
  options.value("--fallback", "none|previous", m_word,
                "where content of the snapshot is lost or damaged, restore the newest earlier one that is whole");
}

bool FallbackChoice::is_wanted() const {
  if (!m_word || *m_word == "none") return false;
  if (*m_word == "previous") return true;
  throw Error(ErrorKind::usage, fmt::format("invalid --fallback {}", quote_given(*m_word)), "none or previous");
}

ChosenSnapshot PreviousSnapshots::first(const SnapshotChoice& choice) {
  try {
    return m_session.find(m_store, choice);
  } catch (const StoreError&) {
    throw;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::damaged) throw;
    Repository& repository = *m_store.repository;
    const auto manifests = repository.manifests().list();
    ChoiceFacts facts;
    facts.of_clocks = keys_ahead_of_clocks(repository.store(), manifests, m_session.io().clock());
    const auto chosen =
        choose_manifests(manifests, choice.reference.value(), choice.series, m_session.io().clock(), facts);
    const auto& name = chosen.copies.front().name;
    note({name.id, name.series, name.cut_point, {}}, e);
  }
  return take_earlier();
}

bool PreviousSnapshots::is_reason(const Error& error) const noexcept {
  if (dynamic_cast<const StoreError*>(&error) != nullptr) return false;
  return error.kind() == ErrorKind::damaged || (is_another() && error.kind() == ErrorKind::not_found);
}

ChosenSnapshot PreviousSnapshots::next(const ChosenSnapshot& lost, const Error& error) {
  const auto& record = lost.info.record;
  note({lost.info.id.hex(), record.series, record.cut_point, {}}, error);
  return take_earlier();
}

void PreviousSnapshots::note(Lost lost, const Error& error) {
  const auto* const not_whole = dynamic_cast<const NotWhole*>(&error);
  if (not_whole != nullptr) lost.problems = not_whole->problems();
  if (lost.problems.empty()) lost.problems.push_back({"", error.message()});
  m_session.reporter().clear_progress();
  for (const auto& problem : lost.problems) {
    const std::string what = error.kind() == ErrorKind::not_found ? "has not what was asked for"
                             : problem.path.empty()               ? "is not whole"
                                                                  : fmt::format("has lost {}", quote(problem.path));
    m_session.print_error(
        Error(ErrorKind::damaged, fmt::format("snapshot {} {}: {}", lost.id.substr(0, 12), what, problem.message)));
  }
  m_lost.push_back(std::move(lost));
}

void PreviousSnapshots::list_earlier(const Lost& asked) {
  if (std::exchange(m_listed, true)) return;
  m_manifests = m_store.repository->manifests().list();
  for (const auto& info : m_manifests) {
    if (info.name.series != asked.series || info.name.cut_point >= asked.cut_point) continue;
    const bool known = std::any_of(m_earlier.begin(), m_earlier.end(),
                                   [&](const ManifestInfo& other) { return same_snapshot(other.name, info.name); });
    if (!known) m_earlier.push_back(info);
  }
  std::sort(m_earlier.begin(), m_earlier.end(), [](const ManifestInfo& a, const ManifestInfo& b) {
    return std::tie(a.name.cut_point, a.name.id) < std::tie(b.name.cut_point, b.name.id);
  });
}

ChosenSnapshot PreviousSnapshots::take_earlier() {
  list_earlier(m_lost.front());
  while (!m_earlier.empty()) {
    const ManifestInfo info = std::move(m_earlier.back());
    m_earlier.pop_back();
    auto copies = copies_of(info, m_manifests);
    const auto came = std::min_element(copies.begin(), copies.end(), [](const auto& a, const auto& b) {
                        return a.stored_at < b.stored_at;
                      })->stored_at;
    if (is_future_dated(info.name.cut_point, came)) continue;
    auto read = read_best_copy(*m_store.repository, copies);
    if (!read.found) {
      const bool damaged = !read.failures.empty() && read.failures.front().kind() == ErrorKind::damaged;
      if (damaged) note({info.name.id, info.name.series, info.name.cut_point, {}}, read.failures.front());
      continue;
    }
    // One that is in doubt is incomplete, too.
    if (read.found->manifest.record.incomplete) continue;
    return make_chosen(std::move(*read.found), std::move(copies));
  }
  const Lost& asked = m_lost.front();
  throw Error(
      ErrorKind::damaged,
      fmt::format("snapshot {} of {}, cut at {}, is not whole, and no earlier one of its series is: {}",
                  asked.id.substr(0, 12), asked.series, format_time_short(asked.cut_point), lost_text(asked.problems)),
      "nothing was restored; without --fallback what is whole of it is, and another store may have the rest");
}

void PreviousSnapshots::warn(const SnapshotInfo& taken, const char* what_became) const {
  if (m_lost.empty()) return;
  const Lost& asked = m_lost.front();
  const std::string between =
      m_lost.size() == 1
          ? ""
          : fmt::format(", and {} between them",
                        counted(m_lost.size() - 1, "that is not whole either is", "that are not whole either are"));
  m_session.reporter().warning(
      fmt::format("snapshot {} of {}, cut at {}, was asked for and is not whole: {}; snapshot {}, cut at {} and {} "
                  "older, {} in its "
                  "place{}",
                  asked.id.substr(0, 12), asked.series, format_time_short(asked.cut_point), lost_text(asked.problems),
                  short_id(taken.id), format_time_short(taken.record.cut_point),
                  format_duration(asked.cut_point - taken.record.cut_point), what_became, between));
}

void PreviousSnapshots::write(JsonWriter& to) const {
  if (m_lost.empty()) return;
  to.key("instead_of").begin_array();
  for (const Lost& lost : m_lost) {
    to.begin_object().member("id", lost.id).member("cut_point", format_time(lost.cut_point));
    to.key("problems").begin_array();
    for (const auto& problem : lost.problems) {
      to.begin_object();
      text_member(to, "path", problem.path);
      to.member("message", terminal_safe(problem.message)).end_object();
    }
    to.end_array().end_object();
  }
  to.end_array();
}

}  // namespace cairn
