// Snapshots as list, show and the others print them.
#pragma once

#include "engine/choose/dated_ahead.hpp"
#include "repo/repository.hpp"
#include "util/json.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// "a=1, b=2".
std::string tags_text(const std::map<std::string, std::string>& tags);
// KEY=VALUE arguments. Error(usage) for one without '=', without a key, or of a key given twice.
std::map<std::string, std::string> parse_tags(const std::vector<std::string>& arguments);
// The key id of a public key as minisign shows it; nothing for nobody.
std::string signer_text(const std::optional<std::string>& signer);
// Whether all of the wanted tags are there with these values.
bool has_tags(const std::map<std::string, std::string>& tags, const std::map<std::string, std::string>& wanted);

// The member "doubt": its name, or null.
void write_doubt(JsonWriter& to, Doubt doubt);
// The content of a snapshot that is in doubt, as a sentence goes on: "holds nothing, and the one before did".
std::string doubt_text(Doubt doubt);

// The members that a snapshot has in every JSON document, without the braces.
void write_snapshot_members(JsonWriter& to, const SnapshotInfo& snapshot, Ahead ahead);

}  // namespace cairn
