// Somebody who may put objects in the stores, and read them; who can neither change nor remove any, has no key and none
// of the hosts' machines. Hosts are told nothing of it.
#pragma once

#include "stage.hpp"

#include <set>
#include <string>
#include <vector>

namespace cairn::sim {

class Attacker {
 public:
  explicit Attacker(Stage& stage) : m_stage(stage), m_world(stage.world), m_random(stage.world.random) {}
  // So many times, with hours or days between them.
  void attack(std::size_t times);

 private:
  void put(Store& store, const std::string& key, std::string_view text);
  std::vector<std::string> keys(const Store& store, const std::string& prefix) const;
  // A pack with the directory of one that is there, and other content.
  std::optional<PackRef> forge_pack(Store& store, const PackRef& like);
  // A manifest of hosts: the pack lists of his own would lead him nowhere.
  std::optional<Manifest> some_manifest(Store& store, std::string& text);
  void copy_manifest(Store& store);
  void plant_pending(Store& store);
  void plant_mark(Store& store);
  void plant_pin(Store& store);

  Stage& m_stage;
  World& m_world;
  Random& m_random;
  std::set<std::string> m_own;  // keys
};

}  // namespace cairn::sim
