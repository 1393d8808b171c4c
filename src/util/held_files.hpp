// Which files the processes of this machine hold, as far as /proc shows it (proc(5)).
#pragma once

#include "util/file_id.hpp"

#include <cstddef>
#include <functional>
#include <string>

#include <sys/types.h>

namespace cairn {

struct HeldFile {
  enum class How { open, working_directory, root, mapped };  // mapped: into its memory, the program itself too
  pid_t pid = 0;
  How how = How::open;
  FileId file;
};

// open: descriptors alone, which is the cheaper question.
enum class HeldKinds { open, all };

// Calls take for each file and directory that another process holds, in no order. Returns how many processes could not
// be looked at, for want of rights; where /proc is not mounted, none is seen and none counted. A process of another
// container is seen where it is below this one. Never throws but what take throws. Thread-safe.
std::size_t for_each_held_file(HeldKinds kinds, const std::function<void(const HeldFile&)>& take);

// "process 123 (postgres)", safe for terminals; without the program where that cannot be told.
std::string describe_process(pid_t pid);

}  // namespace cairn
