// The options of restore that say what of a snapshot is restored, and to whom it belongs then.
#pragma once

#include "cli/io.hpp"
#include "cli/options.hpp"
#include "engine/restore/owner_numbers.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn {

class RestoreLists {
 public:
  void declare(OptionSet& options);
  // Error(usage) where they do not go together.
  void check(bool tar) const;
  // The paths that --files-from names, "-" being standard input; none without it. Error(usage) where it names nothing,
  // or is no list of lines; Error(failed) where it cannot be read.
  std::vector<std::string> read_paths(Io& io) const;
  // Whether they leave anything out.
  bool chooses() const noexcept { return m_files_from.has_value() || !m_excludes.empty(); }
  const std::vector<std::string>& excludes() const noexcept { return m_excludes; }
  Owners owners() const noexcept;

 private:
  std::vector<std::string> m_excludes;
  std::optional<std::string> m_files_from;
  bool m_null = false;
  bool m_no_owner = false;
  bool m_numeric_owner = false;
};

}  // namespace cairn
