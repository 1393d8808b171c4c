// The stores that the conformance suite runs on.
#pragma once

#include "store/object_store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cairn::conformance {

// An empty store of its own, gone with the fixture.
class Fixture {
 public:
  Fixture() = default;
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  virtual ~Fixture() = default;
  virtual std::unique_ptr<ObjectStore> open() = 0;
};

struct Factory {
  std::string name;
  std::function<std::unique_ptr<Fixture>()> make;
};

std::vector<Factory> factories();

}  // namespace cairn::conformance
