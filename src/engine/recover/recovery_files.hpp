// The files by which a store explains itself to somebody who has nothing but the store and its keys: what it is, the
// manual, the format, and a reader that needs no part of this program. Built into the program by packaging/recover.
//
// Room engine/recover: these files and how they get into a store. It touches the store's objects in recover/ alone.
#pragma once

#include <span>
#include <string_view>

namespace cairn {

struct RecoveryFile {
  std::string_view name;  // as `cairn_reader.py`
  std::string_view content;
};

// Ascending by name. They say nothing of any store, host or key.
std::span<const RecoveryFile> recovery_files();

}  // namespace cairn
