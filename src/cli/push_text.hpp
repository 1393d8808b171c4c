// The output about a push, printed by push and by snapshot --push.
#pragma once

#include "cli/session.hpp"
#include "engine/push/pusher.hpp"

namespace cairn {

// For when the rest cannot be printed.
void note_push(Session& session, const PushResult& result, const std::string& target);
// A line for each snapshot, and each failure as an error.
void print_push(Session& session, const PushResult& result, const std::string& target);
// The members of a result, without braces.
void write_push_members(JsonWriter& to, const PushResult& result);
// damaged where something of the source could not be pushed.
ExitStatus push_status(const PushResult& result);

}  // namespace cairn
