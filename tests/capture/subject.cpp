#include "subject.hpp"

#include "capture/sqlite/database.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <thread>
#include <vector>

namespace cairn::hammer {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto k_busy_timeout = 20s;
constexpr std::uint64_t k_reads = 8;  // of an image that is read slowly
constexpr std::int64_t k_commits_between = 4;

template <class Condition>
void wait_for(std::chrono::milliseconds patience, Condition condition) {
  const auto deadline = Clock::now() + patience;
  while (!condition() && Clock::now() < deadline) std::this_thread::sleep_for(1ms);
}

// Other connections of the process that captures. SQLite keeps the locks of one when another is closed.
class Neighbours {
 public:
  explicit Neighbours(fs::path database) : m_database(std::move(database)) { open(); }
  void change() {
    if (m_open.size() > 1) m_open.erase(m_open.begin());
    open();
    open();
    m_open.pop_back();
    is_sqlite_database_file(m_database);
  }

 private:
  // Polls as the capture does: SQLite's own waiting finds no gap between busy writers.
  void open() {
    m_open.emplace_back(m_database);
    sqlite3_db_config(m_open.back().handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    const auto deadline = Clock::now() + k_busy_timeout;
    while (true) {
      try {
        m_open.back().integer("SELECT commits FROM ledger");
        return;
      } catch (const Failure& failure) {
        if (!failure.is_busy() || Clock::now() > deadline) throw;
      }
      std::this_thread::sleep_for(1ms);
    }
  }

  const fs::path m_database;
  std::vector<Database> m_open;
};

// Holds the database for its first page alone.
class HeldTooBriefly : public sqlite::PageImage {
 public:
  explicit HeldTooBriefly(std::unique_ptr<PageImage> image) : m_image(std::move(image)) {}
  std::uint32_t page_size() const override { return m_image->page_size(); }
  std::uint64_t page_count() const override { return m_image->page_count(); }
  void read(std::uint64_t first, ByteSpan out) override {
    m_image->read(first, out);
    if (first == 0) m_stood_still = m_image->release();
  }
  bool release() override { return m_stood_still; }
  const Report& report() const override { return m_image->report(); }

 private:
  std::unique_ptr<PageImage> m_image;
  bool m_stood_still = false;
};

std::unique_ptr<Content> open_database(const fs::path& database, const SqliteOptions& options, Plant plant) {
  Entry entry;
  if (plant == Plant::nothing) return SqliteOpener{database, options}.open(entry);
  const SourcePath place = find_source(database);
  sqlite::Readers readers{options};
  const FileId file = id_of(place.status);
  return make_database_content(std::make_unique<HeldTooBriefly>(
      readers.open({place.directory.get(), place.name, file, database.native()}, sqlite::Readers::Round::last)));
}

// Between two reads.
class Meanwhile {
 public:
  Meanwhile(const fs::path& database, Kind kind, Floor& floor) : m_database(database), m_kind(kind), m_floor(floor) {
    if (kind == Kind::connections) m_neighbours = std::make_unique<Neighbours>(database);
  }

  bool in_steps() const { return m_neighbours || m_kind == Kind::slow || m_kind == Kind::backfilled; }

  void pass() {
    const bool first = !std::exchange(m_begun, true);
    if (first && m_kind == Kind::backfilled) {
      const std::uint64_t salt = m_floor.log_salt;
      m_floor.order = Order::work;
      wait_for(2s, [&] { return m_floor.log_salt != salt; });
    }
    if (m_neighbours) m_neighbours->change();
    const std::int64_t commits = m_floor.log.newest_commit();
    wait_for(60ms, [&] { return m_floor.log.newest_commit() >= commits + k_commits_between; });
  }

 private:
  const fs::path m_database;
  const Kind m_kind;
  Floor& m_floor;
  std::unique_ptr<Neighbours> m_neighbours;
  bool m_begun = false;
};

template <std::size_t N>
void note(std::array<char, N>& to, const std::string& text) {
  const std::size_t length = std::min(text.size(), N - 1);
  std::copy_n(text.begin(), length, to.begin());
  to[length] = 0;
}

void read_image(int image, Content& content, Meanwhile& meanwhile) {
  const std::uint64_t size = content.expected_size();
  const std::uint64_t page = content.rule().size;
  const std::uint64_t step = meanwhile.in_steps() ? std::max(size / k_reads / page, std::uint64_t{1}) * page : 1 << 20;
  Bytes buffer(static_cast<std::size_t>(step));
  for (std::uint64_t at = 0; at < size;) {
    const Content::Piece piece = content.read(buffer);
    if (piece.kind != Content::Piece::Kind::data) throw std::runtime_error{"the image ended early"};
    write_at(image, ByteView{buffer}.first(static_cast<std::size_t>(piece.length)), at, "image");
    at += piece.length;
    if (at < size && meanwhile.in_steps()) meanwhile.pass();
  }
  if (content.finish() != Content::Outcome::consistent) throw std::runtime_error{"the database did not stand still"};
}

}  // namespace

void capture_into(int image, const fs::path& database, Kind kind, Plant plant, Floor& floor, Account& account) {
  try {
    Meanwhile meanwhile{database, kind, floor};
    const auto begun = Clock::now();
    account.floor = floor.log.newest_commit();
    SqliteOptions options;
    options.busy_timeout = k_busy_timeout;
    const auto content = open_database(database, options, plant);
    account.ceiling = floor.log.newest_attempt();
    const std::int64_t commits = floor.log.newest_commit();
    const std::uint64_t checkpoints = floor.checkpoints;
    const std::uint64_t salt = floor.log_salt;
    read_image(image, *content, meanwhile);
    account.commits = floor.log.newest_commit() - commits;
    account.checkpoints = floor.checkpoints - checkpoints;
    account.restarted = floor.log_salt != salt;
    note(account.mode, Json::parse("{" + content->facts() + "}").at("mode").string());
    account.seconds = std::chrono::duration<double>{Clock::now() - begun}.count();
    account.end = Account::End::image;
  } catch (const Error& error) {
    note(account.error, error.message());
    account.end = error.kind() == ErrorKind::busy ? Account::End::busy : Account::End::failed;
  } catch (const std::exception& error) {
    note(account.error, error.what());
    account.end = Account::End::failed;
  }
}

}  // namespace cairn::hammer
