#include "engine/inside/snapshot_query.hpp"

#include "capture/sqlite/format.hpp"
#include "engine/inside/page_feed.hpp"
#include "util/error.hpp"

#include <memory>

#include <fmt/format.h>

namespace cairn {

namespace {

// On its way while SQLite works, of each scan.
constexpr std::uint64_t k_ahead = 32ULL << 20;

struct OpenDatabase {
  InsideFile file;
  std::unique_ptr<PageFeed> feed;
};

std::string shown(const QueryTarget& target, const InsideFile& file) {
  return fmt::format("{} of {}@{}", file.reader->entry().path, target.manifest->record.series,
                     format_time_short(target.manifest->record.cut_point));
}

// What is no database is told apart from one that is damaged.
void require_database(const OpenDatabase& database, const std::string& name) {
  const std::uint64_t size = database.file.reader->size();
  if (size == 0) return;
  const Bytes first = database.feed->read(0, sqlite::k_header_size, sqlite::k_header_size);
  if (!sqlite::parse_header(first)) throw Error(ErrorKind::usage, fmt::format("{} is no SQLite database", quote(name)));
}

}  // namespace

void query_snapshots(Looker& looker, const std::string& sql, const std::vector<QueryTarget>& targets,
                     const QueryLimits& limits, const sqlite::QuerySink& sink) {
  std::vector<OpenDatabase> databases;
  sqlite::Query query{.sql = sql, .databases = {}, .time = limits.time, .memory = limits.memory};
  databases.reserve(targets.size());
  for (const QueryTarget& target : targets) {
    OpenDatabase& database = databases.emplace_back();
    database.file = looker.open(*target.manifest, target.path);
    database.feed = std::make_unique<PageFeed>(*database.file.reader, k_ahead / targets.size());
    const std::string name = shown(target, database.file);
    require_database(database, name);
    query.databases.push_back(
        {.schema = target.schema,
         .shown = name,
         .size = database.file.reader->size(),
         .read = [feed = database.feed.get()](std::uint64_t offset, std::uint64_t length, std::uint64_t most) {
           return feed->read(offset, length, most);
         }});
  }
  sqlite::run_query(query, sink);
}

}  // namespace cairn
