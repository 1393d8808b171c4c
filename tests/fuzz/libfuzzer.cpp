// The function that libFuzzer calls: it runs the one target that is linked in.
#include "target.hpp"

#include <cstdint>

// Declared by libFuzzer, under names of its own.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn::fuzz::targets().front().run({reinterpret_cast<const char*>(data), size});
  return 0;
}
