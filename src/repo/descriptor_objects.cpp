#include "repo/descriptor_objects.hpp"

#include "codec/digest.hpp"
#include "repo/format.hpp"
#include "repo/layout.hpp"
#include "repo/second_reading.hpp"
#include "repo/whole_object.hpp"
#include "util/bytes.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {
constexpr unsigned k_init_attempts = 8;
}  // namespace

Descriptor init_store(ObjectStore& store, const Descriptor& descriptor) {
  const std::string text = descriptor.text();
  const std::string key = layout::descriptor_key(descriptor.generation, sha256(text));
  store.set_permissions(descriptor.permissions);
  const auto there = [&](std::string_view but) {
    bool found = false;
    store.list(layout::k_config, [&](const ObjectInfo& info) { found = found || info.key != but; });
    return found;
  };
  for (unsigned attempt = 0; attempt < k_init_attempts; ++attempt) {
    // Two that begin at the same time and met each other: one of them goes first the next time.
    if (attempt != 0) std::this_thread::sleep_for(std::chrono::milliseconds{random_bytes(1)[0]});
    if (there({})) throw already_a_store(store);
    store.put(key, ObjectBody::from_text(text));
    // Of two descriptors put at the same time at least the later is seen together with the other by its writer, who
    // takes it back: nobody has used it, as a store with two is refused. Neither names nor times could tell which one
    // to leave: the other writer may have looked before and gone on.
    if (!there(key)) return descriptor;
    for (const auto& failure : store.remove(std::vector<std::string>{key})) {
      throw Error(ErrorKind::failed,
                  fmt::format("unable to take back the descriptor {}, put at the same time as another: {}",
                              quote(failure.key), failure.message),
                  "remove it by hand: the store cannot be used with both");
    }
  }
  throw Error(ErrorKind::busy, fmt::format("unable to initialise {}: somebody else is at it", quote(store.describe())));
}

Error already_a_store(const ObjectStore& store) {
  return {ErrorKind::usage, fmt::format("unable to initialise {}: it is a store already", quote(store.describe())),
          "use --if-missing to leave an existing store as it is"};
}

bool has_content(ObjectStore& store) {
  bool found = false;
  for (const char* prefix : {layout::k_snapshots, layout::k_packs}) {
    if (!found) store.list(prefix, [&](const ObjectInfo&) { found = true; });
  }
  return found;
}

Descriptor read_descriptor(ObjectStore& store) {
  std::optional<layout::DescriptorKey> newest;
  ObjectInfo newest_object;
  bool several = false;
  bool unknown = false;
  store.list(layout::k_config, [&](const ObjectInfo& info) {
    const auto key = layout::parse_descriptor_key(info.key);
    if (!key) {
      unknown = true;
      return;
    }
    if (newest && newest->generation > key->generation) return;
    several = newest && newest->generation == key->generation;
    check_object_size("store descriptor", info.key, info.size);
    newest = key;
    newest_object = info;
  });
  if (!newest && unknown) {
    throw Error(ErrorKind::damaged, fmt::format("unable to open store {}: no object in config/ has a descriptor's name",
                                                quote(store.describe())));
  }
  if (!newest) {
    if (has_content(store)) {
      throw Error(
          ErrorKind::damaged,
          fmt::format("unable to open store {}: its descriptor is gone, though what was stored is there",
                      quote(store.describe())),
          "bring the objects of config/ back from a copy; or run init, with the same recipients, on a host that "
          "has used the store");
    }
    throw Error(ErrorKind::not_found, fmt::format("unable to open store {}: no store there", quote(store.describe())),
                k_init_hint);
  }
  if (several) {
    throw Error(ErrorKind::untrusted, fmt::format("unable to open store {}: two descriptors of generation {}",
                                                  quote(store.describe()), newest->generation));
  }
  const Bytes bytes = read_again_if_damaged(
      [&] {
        auto read = get_whole(store, newest_object);
        if (!read) throw missing_object("store descriptor", newest_object.key);
        if (sha256(*read) == newest->sha256) return std::move(*read);
        throw Error(ErrorKind::damaged, fmt::format("damaged store descriptor {}: its bytes do not fit its name",
                                                    quote(newest_object.key)));
      },
      [](const Error&) {});
  Descriptor descriptor = Descriptor::parse(as_text(bytes), newest_object.key);
  descriptor.require_readable(store.describe());
  if (descriptor.generation != newest->generation) {
    throw Error(ErrorKind::damaged, fmt::format("damaged store descriptor {}: its content does not fit its name",
                                                quote(newest_object.key)));
  }
  return descriptor;
}

void put_descriptor(ObjectStore& store, const Descriptor& descriptor) {
  check_requirements(descriptor.requirements, Operation::write, store.describe());
  if (!descriptor.unknown_members.empty()) {
    throw Error(
        ErrorKind::failed,
        fmt::format("unable to change the keys of {}: its descriptor has the member {}, which this program does "
                    "not know",
                    quote(store.describe()), quote(descriptor.unknown_members.front())),
        "use a newer version of cairn");
  }
  store.set_permissions(descriptor.permissions);
  const std::string text = descriptor.text();
  const Digest sha256_of_text = sha256(text);
  const std::string own = layout::descriptor_key(descriptor.generation, sha256_of_text);
  store.put(own, ObjectBody::from_text(text));
  bool other = false;
  store.list(layout::k_config, [&](const ObjectInfo& info) {
    const auto key = layout::parse_descriptor_key(info.key);
    if (key && key->generation == descriptor.generation && key->sha256 != sha256_of_text) other = true;
  });
  if (!other) return;
  // Nobody can have used it yet: both who wrote one see the other's.
  store.remove(std::span{&own, 1});
  throw Error(ErrorKind::busy, fmt::format("unable to change the keys of {}: somebody else does so at this moment",
                                           quote(store.describe())));
}

}  // namespace cairn
