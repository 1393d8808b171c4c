// The table [notify] of cairn.toml.
#pragma once

#include "cli/toml_table.hpp"
#include "engine/notify/settings.hpp"

namespace cairn {

// Throws Error(usage) with the position of what is wrong, and without any URL.
NotifySettings read_notify(const TomlTable& table);

}  // namespace cairn
