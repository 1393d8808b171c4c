#include "repo/descriptor_history.hpp"

#include "repo/layout.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_most_generations = 1000;
constexpr std::uint64_t k_largest = 1U << 20;

// Nothing where it cannot be read, or is not what its name says.
std::optional<Descriptor> read_one(ObjectStore& store, const ObjectInfo& object, const layout::DescriptorKey& name) {
  const auto bytes = store.get(object.key, ByteRange{0, object.size});
  if (!bytes || sha256(*bytes) != name.sha256) return std::nullopt;
  std::optional<Descriptor> descriptor;
  const auto failure = any_failure_of([&] { descriptor = Descriptor::parse(as_text(*bytes), object.key); });
  if (failure || descriptor->generation != name.generation) return std::nullopt;
  return descriptor;
}

}  // namespace

EarlierDescriptors earlier_descriptors(ObjectStore& store, const Descriptor& current) {
  if (current.generation <= 1) return {};
  struct Listed {
    layout::DescriptorKey name;
    ObjectInfo object;
  };
  std::vector<Listed> listed;
  store.list(layout::k_config, [&](const ObjectInfo& info) {
    const auto name = layout::parse_descriptor_key(info.key);
    if (name && name->generation < current.generation) listed.push_back({*name, info});
  });
  if (listed.size() > k_most_generations) {
    throw Error(ErrorKind::untrusted, fmt::format("unable to use store {}: it has more than {} descriptors",
                                                  quote(store.describe()), k_most_generations));
  }
  std::sort(listed.begin(), listed.end(),
            [](const Listed& a, const Listed& b) { return a.name.generation < b.name.generation; });
  EarlierDescriptors out;
  for (const auto& each : listed) {
    auto descriptor = each.object.size > k_largest ? std::nullopt : read_one(store, each.object, each.name);
    if (descriptor) {
      out.known.push_back(std::move(*descriptor));
    } else {
      out.unreadable.push_back(each.object.key);
    }
  }
  return out;
}

std::optional<std::string> doubt_about(const Descriptor& current, const EarlierDescriptors& earlier) {
  for (const auto& before : earlier.known) {
    if (before.store_id != current.store_id) {
      return fmt::format("its id is {}, and was {} in generation {}", current.store_id, before.store_id,
                         before.generation);
    }
    if (before.encrypted() && !current.encrypted()) {
      return fmt::format("it is not encrypted, and was in generation {}", before.generation);
    }
  }
  if (!current.encrypted() && !earlier.unreadable.empty()) {
    return fmt::format("it is not encrypted, and whether it was cannot be read in {}",
                       quote(earlier.unreadable.front()));
  }
  return std::nullopt;
}

const Descriptor* before_change_of_recipients(const Descriptor& current, const EarlierDescriptors& earlier) {
  if (!current.encrypted()) return nullptr;
  const auto found = std::find_if(earlier.known.rbegin(), earlier.known.rend(),
                                  [&](const Descriptor& before) { return before.recipients != current.recipients; });
  return found == earlier.known.rend() ? nullptr : &*found;
}

}  // namespace cairn
