#include "conformance/factories.hpp"

#include "store/local_store.hpp"

namespace cairn::conformance {

namespace {

class LocalFixture : public Fixture {
 public:
  std::unique_ptr<ObjectStore> open() override { return std::make_unique<LocalStore>(m_directory.path()); }

 private:
  TemporaryDirectory m_directory{fs::temp_directory_path()};
};

}  // namespace

std::vector<Factory> factories() {
  return {{"local", [] { return std::make_unique<LocalFixture>(); }}};
}

}  // namespace cairn::conformance
