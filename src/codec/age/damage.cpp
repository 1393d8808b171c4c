#include "codec/age/damage.hpp"

#include <string>

namespace cairn::age {

namespace {

constexpr std::string_view name_of(Part part) noexcept {
  switch (part) {
    case Part::armour:
      return "armour";
    case Part::header:
      return "header";
    case Part::mac:
      return "header authentication";
    case Part::payload:
      return "payload";
  }
  return "";
}

}  // namespace

Damage::Damage(Part part, std::string_view cause)
    : Error(ErrorKind::damaged, "damaged age file: " + std::string{name_of(part)} + ": " + std::string{cause}),
      m_part(part) {}

}  // namespace cairn::age
