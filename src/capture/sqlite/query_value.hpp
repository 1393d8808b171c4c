// Values as SQLite has them.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace cairn::sqlite {

struct SqlNull {
  bool operator==(const SqlNull&) const = default;
};
struct SqlText {
  std::string bytes;  // UTF-8 where the database keeps to what it says; any bytes
  bool operator==(const SqlText&) const = default;
};
struct SqlBlob {
  std::string bytes;
  bool operator==(const SqlBlob&) const = default;
};
using SqlValue = std::variant<SqlNull, std::int64_t, double, SqlText, SqlBlob>;
using SqlRow = std::vector<SqlValue>;

}  // namespace cairn::sqlite
