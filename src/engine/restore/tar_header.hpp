// Entries as headers of a tar archive in the pax form that GNU tar and libarchive's bsdtar both read. Pure.
//
// Sources: POSIX.1-2017 pax(1), "pax Interchange Format" and "ustar Interchange Format"; the manual of GNU tar,
// "Storing Sparse Files", PAX format 1.0; star(5), SCHILY.xattr and SCHILY.acl. libarchive's own writer is not used: it
// puts the data of sparse files where GNU tar does not look for them unless every hole is aligned, and times before
// 1970 are read wrong.
#pragma once

#include "repo/entry.hpp"
#include "util/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

// Headers and contents begin at multiples of it.
inline constexpr std::size_t k_tar_block = 512;

// Zeros that follow so many bytes.
constexpr std::size_t tar_padding(std::uint64_t bytes) noexcept {
  return static_cast<std::size_t>((k_tar_block - bytes % k_tar_block) % k_tar_block);
}

struct TarMember {
  // Bytes that follow the header, without padding. Of a sparse file the map and what of it is data.
  std::uint64_t stored = 0;
  // Else what is stored is the whole content.
  bool sparse = false;
  // Names of owners are written beside their numbers.
  bool owner_names = true;
};

// Appends the header of an entry that is no socket, which tar has no form for. path: valid, "." for the root.
void append_tar_header(Bytes& to, const Entry& entry, const TarMember& member);

// Two blocks of zeros.
void append_tar_end(Bytes& to);

// An access control list as acl(5) writes it in one line, users and groups by number; nothing where the value of the
// attribute (system.posix_acl_*, as the kernel gives it) is none.
std::optional<std::string> acl_text(std::string_view value);

}  // namespace cairn
