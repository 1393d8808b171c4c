// A copy of a file in the place of a hard link, where the file system makes none.
#pragma once

#include "util/file_id.hpp"

#include <string>

namespace cairn {

// to_name: not there yet. Mode and times are those of the file, as far as that can be. Returns which file was copied.
// Throws Error(failed), naming `shown`.
FileId copy_for_link(int from_directory, const std::string& from_name, int to_directory, const std::string& to_name,
                     const std::string& shown);

}  // namespace cairn
