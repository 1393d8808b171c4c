#include "engine/follow/follower.hpp"

#include "engine/follow/local_changes.hpp"
#include "repo/fallback_packs.hpp"
#include "repo/objects.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <system_error>

namespace cairn {

namespace {

// Where nothing is known of a target, so many snapshots are held against it, each at the price of reading it.
constexpr std::size_t k_max_tried = 8;

// One of a target, whatever symbolic links lead to it.
fs::path state_file(const fs::path& directory, const fs::path& target) {
  std::error_code failure;
  fs::path place = fs::weakly_canonical(fs::absolute(target), failure);
  if (failure) place = fs::absolute(target);
  if (!place.has_filename()) place = place.parent_path();
  return directory / "follow" / sha256(place.native()).short_hex();
}

std::vector<ManifestInfo> older_snapshots(const std::vector<ManifestInfo>& series, const Manifest& manifest,
                                          const std::vector<Digest>& possible, bool all_known) {
  std::vector<ManifestInfo> out;
  const auto add = [&](const ManifestInfo& info) {
    const bool known = info.name.id == manifest.id.short_hex() ||
                       std::any_of(out.begin(), out.end(),
                                   [&](const ManifestInfo& other) { return same_snapshot(other.name, info.name); });
    if (!known) out.push_back(info);
  };
  for (const Digest& id : possible) {
    for (const auto& info : series) {
      if (info.name.id == id.short_hex()) add(info);
    }
  }
  if (all_known) return out;
  // By cut point, as they are listed.
  for (auto info = series.rbegin(); info != series.rend() && out.size() < k_max_tried; ++info) add(*info);
  return out;
}

[[noreturn]] void refuse(const std::set<std::string>& names, const RestoreTarget& target, bool established) {
  const std::string more = names.size() == 1 ? "" : fmt::format(", and {} more,", names.size() - 1);
  const std::string name = target.shape() == RestoreTarget::Shape::single_file
                               ? target.path().native()
                               : (target.path() / *names.begin()).native();
  throw Error(ErrorKind::usage,
              established
                  ? fmt::format("unable to follow: {}{} was written here since it was restored", quote(name), more)
                  : fmt::format("unable to follow: {}{} was not restored here, and would be lost", quote(name), more),
              "--discard-local gives up what was written here");
}

}  // namespace

Follower::Follower(const fs::path& directory, const fs::path& target, const fs::path& spool)
    : m_target(target),
      m_lock(state_file(directory, target).native() + ".lock"),
      m_memory(state_file(directory, target), spool) {
  if (m_lock.try_lock()) return;
  const auto holder = m_lock.holder();
  throw Error(ErrorKind::busy, fmt::format("unable to follow to {}: {} does already", quote(target.native()),
                                           holder ? fmt::format("process {}", *holder) : "another process"));
}

std::optional<Digest> Follower::in_place() const {
  std::error_code failure;
  if (!fs::exists(m_target, failure)) return std::nullopt;
  return m_memory.in_place();
}

RestoreResult Follower::apply(Context& context, const Manifest& manifest, RestoreRequest request,
                              const std::vector<ManifestInfo>& series, LocalChanges changes) {
  request.in_place = true;
  request.remove = true;
  request.empty_logs_stay = true;
  request.memory = nullptr;
  const RestoreRequest plain = request;
  StandbyMemory::CheckTouched check;
  if (changes == LocalChanges::refused) {
    check = [&](std::set<std::string> names, const RestoreTarget& target) {
      // It may have been touched and nothing more, or this host may not know any more what it put there.
      for (const auto& info : older_snapshots(series, manifest, m_memory.possible(), m_memory.has_state())) {
        const auto failure = any_failure_of([&] {
          const CopyRead read = read_best_copy(context.repository, copies_of(info, series));
          if (!read.found) return;
          PreparedRestore other = plan_restore(context, read.found->manifest, plain);
          leave_out_equal(names, other);
        });
        if (failure) {
          context.reporter.info(
              fmt::format("the target cannot be held against snapshot {}: {}", info.name.id, failure->message()));
        }
        if (names.empty()) return;
      }
      refuse(names, target, is_established());
    };
  }
  m_memory.begin(manifest.id, std::move(check));
  request.memory = &m_memory;
  PackReader& own = context.repository.packs();
  if (!m_packs) m_packs = std::make_unique<KeptPacks>(own);
  m_packs->set_source(request.fallback == nullptr ? static_cast<PackSource&>(own) : *request.fallback);
  request.packs = m_packs.get();
  RestoreResult result = restore(context, manifest, request);
  m_packs->forget_content();
  return result;
}

}  // namespace cairn
