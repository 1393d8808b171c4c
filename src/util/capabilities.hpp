// Which privileges this process has, beyond what its user number says: the root of a container may have none.
#pragma once

namespace cairn {

// Whether a capability (CAP_..., <linux/capability.h>) is in this thread's effective set. Where the kernel cannot be
// asked, root has all and others have none. Whether it holds for a certain file is another question: in a user
// namespace it does so only where the file's owner has a number there. Thread-safe.
bool has_capability(int capability) noexcept;

}  // namespace cairn
