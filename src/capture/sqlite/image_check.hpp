// Whether the pages of a database fit together: in the child that reads databases (reader_main.hpp).
#pragma once

#include "capture/sqlite/protocol.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace cairn::sqlite {

// PRAGMA quick_check, and the digest of the schema, of the database that is one open file, without the log of any. The
// file is not changed, nothing is made beside it, and no lock is taken: whoever asks knows that nobody else uses it.
// bytes: called with those read since the last time, now and then; must not throw.
Checked check_image(UniqueFd file, const std::string& shown, const std::function<void(std::uint64_t bytes)>& bytes);

// The same, and thoroughly: PRAGMA integrity_check, and of a sound one the schema's elements, the rows of each table,
// and keys that refer to nothing. item: told of each.
Checked examine_image(UniqueFd file, const std::string& shown, const std::function<void(std::uint64_t bytes)>& bytes,
                      const std::function<void(const CheckedItem&)>& item);

}  // namespace cairn::sqlite
