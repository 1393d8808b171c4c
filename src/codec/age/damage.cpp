#include "codec/age/damage.hpp"

#include <string>

namespace cairn::age {

namespace {

constexpr std::string_view name_of(DamagedPart part) noexcept {
  switch (part) {
    case DamagedPart::armour:
      return "armour";
    case DamagedPart::header:
      return "header";
    case DamagedPart::mac:
      return "header authentication";
    case DamagedPart::payload:
      return "payload";
  }
  return "";
}

}  // namespace

Damage::Damage(DamagedPart part, std::string_view cause)
    : Error(ErrorKind::damaged, "damaged age file: " + std::string{name_of(part)} + ": " + std::string{cause}),
      m_part(part) {}

}  // namespace cairn::age
