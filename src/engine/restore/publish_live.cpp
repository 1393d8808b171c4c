// The publisher of a database into one that others use.
#include "capture/sqlite/live_database.hpp"
#include "engine/restore/live_rules.hpp"
#include "engine/restore/publisher.hpp"
#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

// Offsets of the header that say which kind of journal the database has: "Database File Format", 1.3.3.
constexpr std::uint64_t k_versions = 18;
constexpr std::array<std::uint8_t, 2> k_without_log{1, 1};

class LivePublisher : public Publisher {
 public:
  explicit LivePublisher(const PublishParts& parts) : Publisher(parts) {}

 private:
  void look() override {
    const auto parent = see(target().directory(), "");
    const auto there = see(target().directory(), target().name());
    if (!there) throw_errno("stat", target().path().native(), errno);
    if (parent) require_within_reach(*there, *parent, target().path());
    m_there = look_at_live(target());
    m_image = open_image();
    Bytes first(sqlite::k_header_size);
    first.resize(read_at(m_image.get(), first, 0, staging().path().native()));
    const auto header = sqlite::parse_header(first);
    if (!header) {
      throw Error(ErrorKind::usage,
                  fmt::format("unable to restore to {} while it is used: the snapshot is of a database without pages",
                              quote(target().path().native())),
                  "stop its users, and restore without --live");
    }
    check_fits(m_there, *header, target().path());
  }

  bool has_directory(const std::string&) const override { return false; }

  // What is staged is durable when it is in the database.
  void sync() override {}

  void move() override {
    // In another mode its users would find themselves in that one from then on.
    write_at(m_image.get(), k_without_log, k_versions, staging().path().native());
    const UniqueFd image = open_beneath(staging().fd(), k_single_name, O_RDONLY);
    struct stat status {};
    if (!image || ::fstat(image.get(), &status) != 0) throw_errno("open", staging().path().native(), errno);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    std::uint64_t written = 0;
    const auto told = [&](std::uint64_t bytes) {
      written += bytes;
      reporter().progress("write", std::min(written, size), size);
    };
    const sqlite::DatabasePlace place{target().directory(), target().name(), m_there.id, target().path().native()};
    const SqliteOptions options;
    const auto done = sqlite::write_live_database(place, image.get(), options.busy_timeout, told);
    if (live_result() != nullptr) *live_result() = done;
    staging().discard();
  }

  UniqueFd open_image() const {
    // Its mode is the snapshot's; where it lies is nobody else's.
    if (::fchmodat(staging().fd(), k_single_name, 0600, 0) != 0) throw_errno("open", staging().path().native(), errno);
    UniqueFd image = open_beneath(staging().fd(), k_single_name, O_RDWR);
    if (!image) throw_errno("open", staging().path().native(), errno);
    return image;
  }

  LiveDatabase m_there;
  UniqueFd m_image;
};

}  // namespace

std::unique_ptr<Publisher> make_live_publisher(const PublishParts& parts) {
  return std::make_unique<LivePublisher>(parts);
}

}  // namespace cairn
