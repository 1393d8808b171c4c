// Takes from this process what it does not need.
#pragma once

namespace cairn::sqlite {

// From now on this process, all its threads, can do nothing but compute, take memory, and read and write what it has
// open (seccomp(2), a list of what may be called): it opens no file, makes no socket, starts no program, signals
// nobody. What else it asks the kernel for fails with EPERM. Where the kernel knows no such filter, and in builds with
// sanitizers, nothing is done: then it is its rights alone that bound it (identity.hpp). After become(), which makes
// sure that it gets no new privileges.
void confine() noexcept;

}  // namespace cairn::sqlite
