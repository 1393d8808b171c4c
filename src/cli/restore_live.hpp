// What restore --live says of itself, before and after.
#pragma once

#include "cli/output.hpp"
#include "engine/restore/restorer.hpp"
#include "util/json.hpp"

#include <initializer_list>
#include <string>
#include <utility>

namespace cairn {

// Error(usage) where one of these options is given beside --live.
void check_live_options(std::initializer_list<std::pair<const char*, bool>> others);

// Fields of a plan for people; the same as a member "live".
void add_live_estimate(FieldList& fields, const LiveEstimate& estimate);
void write_live_estimate(JsonWriter& to, const LiveEstimate& estimate);

// What became of it: a line for people; the same as a member "live".
std::string live_text(const sqlite::LiveWritten& written);
void write_live(JsonWriter& to, const sqlite::LiveWritten& written);

}  // namespace cairn
