#include "capture/sqlite/settled_database.hpp"

#include "capture/sqlite/companions.hpp"
#include "util/error.hpp"

#include <unistd.h>
#include <utility>

namespace cairn::sqlite {

namespace {

using namespace std::chrono_literals;
using Refusal = SettledDatabase::Refusal;
using Cause = Refusal::Cause;

constexpr auto k_patience_beside = 60s;
constexpr std::uint64_t k_slowest_copy = 4 << 20;  // bytes a second

// For all that its log or journal can put into it.
std::chrono::seconds time_for(const DatabasePlace& place) {
  std::uint64_t bytes = 0;
  for (const char* suffix : k_logs) {
    const auto status = status_beside(place.directory, place.name, suffix);
    if (status) bytes += static_cast<std::uint64_t>(status->st_blocks) * 512;
  }
  return k_patience_beside + std::chrono::seconds{bytes / k_slowest_copy};
}

Refusal refusal_of(const Failed& failed) {
  if (failed.kind == ErrorKind::busy) return {Cause::busy, failed.message};
  return {failed.cause == Failed::Cause::no_space ? Cause::no_space : Cause::impossible, failed.message};
}

}  // namespace

Identity identity_for_writing(const DatabasePlace& place) {
  if (::geteuid() != 0) return own_identity();
  const auto database = status_beside(place.directory, place.name, "");
  if (!database) throw_errno("open", place.shown, errno);
  if (database->st_uid == 0 && !is_roots_alone(place)) {
    throw SourceError(ErrorKind::failed, "it is root's, and others may change what lies beside it");
  }
  return identity_of_user(database->st_uid, database->st_gid);
}

SettledDatabase::Attempt SettledDatabase::settle(const DatabasePlace& place) {
  OpenRequest request;
  request.name = place.name;
  request.file = place.file;
  request.shown = place.shown;
  request.settle = true;
  try {
    auto child = std::make_unique<ReaderProcess>(identity_for_writing(place));
    child->send(encode(request), {place.directory});
    const auto answer = child->receive(ReaderProcess::Clock::now() + time_for(place), place.shown);
    if (const auto* const failed = std::get_if<Failed>(&answer.reply)) return {nullptr, refusal_of(*failed)};
    if (!std::holds_alternative<Settled>(answer.reply)) {
      return {nullptr, {Cause::impossible, "the process that opens it talks nonsense"}};
    }
    return {std::unique_ptr<SettledDatabase>{new SettledDatabase{std::move(child)}}, {}};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return {nullptr, {Cause::impossible, error.message()}};
  }
}

}  // namespace cairn::sqlite
