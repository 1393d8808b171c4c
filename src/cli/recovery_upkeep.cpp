#include "cli/recovery_upkeep.hpp"

#include "engine/recover/recovery_keeper.hpp"
#include "util/error.hpp"

#include <memory>

#include <fmt/format.h>

namespace cairn {

namespace {

void put(Session& session, ObjectStore& store, const std::string& store_id) {
  const std::shared_ptr<const minisign::SecretKey> key = session.signing_key();
  keep_recovery_files(store, recovery_files(), CAIRN_VERSION, key.get());
  // Where it cannot be noted, the next run asks the store.
  static_cast<void>(every_failure_of([&] {
    session.state().set_recovery_kept(store_id, recovery_digest(recovery_files(), CAIRN_VERSION, key.get()));
  }));
}

std::string message(const std::string& store, const Error& e) {
  return fmt::format("unable to put recovery material into {}: {}", store, e.message());
}

}  // namespace

void put_recovery_material(Session& session, ObjectStore& store, const std::string& store_id) {
  const auto failure = every_failure_of([&] { put(session, store, store_id); });
  if (failure) session.reporter().warning(message(quote(store.describe()), *failure));
}

void keep_recovery_material(Session& session, const std::string& store) {
  const auto failure = every_failure_of([&] {
    const std::shared_ptr<const minisign::SecretKey> key = session.signing_key();
    const auto pin = session.state().pin(pin_address(session.address(store)));
    if (pin &&
        session.state().recovery_kept(pin->store_id) == recovery_digest(recovery_files(), CAIRN_VERSION, key.get())) {
      return;
    }
    OpenStore open = session.open(store, StoreUse::write);
    put(session, *open.store, open.repository->descriptor().store_id);
  });
  if (failure) session.reporter().info(message("store " + quote(store), *failure));
}

}  // namespace cairn
