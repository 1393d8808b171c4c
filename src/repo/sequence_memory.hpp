// A host's memory of the snapshots that it took, apart from the stores that they are in.
#pragma once

#include <cstdint>
#include <string>

namespace cairn {

// Failures are Error.
class SequenceMemory {
 public:
  SequenceMemory() = default;
  virtual ~SequenceMemory() = default;
  // The number of the newest snapshot that this host took of a series in a store; 0 for none.
  virtual std::uint64_t last_sequence(const std::string& store_id, const std::string& series) const = 0;
  virtual void set_last_sequence(const std::string& store_id, const std::string& series,
                                 std::uint64_t sequence) const = 0;

 protected:
  SequenceMemory(const SequenceMemory&) = default;
  SequenceMemory& operator=(const SequenceMemory&) = default;
};

}  // namespace cairn
