// Damage of an age file, told by the part that has it.
#pragma once

#include "util/error.hpp"

#include <string_view>

namespace cairn::age {

enum class DamagedPart {
  armour,   // the text form around a file
  header,   // its grammar, or a stanza that is addressed to a known kind of key and breaks that kind's rules
  mac,      // the header is well formed, a key opens it, and its authentication code is wrong
  payload,  // a segment does not open, or the length is one that no payload has
};

// Error(damaged). The message never holds bytes of the file.
class Damage : public Error {
 public:
  Damage(DamagedPart part, std::string_view cause);
  DamagedPart part() const noexcept { return m_part; }

 private:
  DamagedPart m_part;
};

}  // namespace cairn::age
