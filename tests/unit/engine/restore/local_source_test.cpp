#include "engine/restore/local_source.hpp"

#include "support/content.hpp"
#include "unit/support.hpp"
#include "util/bytes.hpp"

#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using test::noise;
using test::write;

namespace {

struct Source {
  TemporaryDirectory directory{fs::temp_directory_path()};
  LocalRoot root{LocalRoot::Kind::seed, open_file(directory.path(), O_RDONLY | O_DIRECTORY), "seed"};
  UniqueFd to = open_file(directory.path() / "to", O_RDWR | O_CREAT, 0600);

  LocalSource source(const std::string& name) const {
    struct stat status {};
    REQUIRE(::lstat((directory.path() / name).c_str(), &status) == 0);
    return LocalSource{{&root, name, stamp_of(status)}};
  }
  std::string made() const { return std::string{as_text(read_file(directory.path() / "to"))}; }
};

}  // namespace

TEST_CASE("local source: ranges are copied to where they belong") {
  Source t;
  write(t.directory.path() / "from", noise(3'000'000, 1));
  LocalSource from = t.source("from");
  copy_range({from, 1000, 2'500'000}, {t.to.get(), 10, "to"});
  CHECK(t.made() == std::string(10, '\0') + noise(3'000'000, 1).substr(1000, 2'500'000));
}

TEST_CASE("local source: one that has become another gives nothing") {
  Source t;
  write(t.directory.path() / "from", "0123456789");
  write(t.directory.path() / "other", "0123456789");
  LocalSource from = t.source("from");
  SUBCASE("before it is opened") {
    write(t.directory.path() / "from", "9876543210");
    CHECK_THROWS_AS(from.fd(), LocalChanged);
  }
  SUBCASE("while it is open") {
    from.fd();
    write(t.directory.path() / "from", "98765");
    CHECK_THROWS_AS(from.check(), LocalChanged);
    CHECK_THROWS_AS(copy_range({from, 0, 5}, {t.to.get(), 0, "to"}), LocalChanged);
  }
  SUBCASE("replaced by one with the same content") {
    fs::rename(t.directory.path() / "other", t.directory.path() / "from");
    CHECK_THROWS_AS(from.fd(), LocalChanged);
  }
  SUBCASE("a link to it") {
    fs::rename(t.directory.path() / "from", t.directory.path() / "elsewhere");
    fs::create_symlink("elsewhere", t.directory.path() / "from");
    CHECK_THROWS_AS(from.fd(), LocalChanged);
  }
  SUBCASE("a pipe, which hangs nobody") {
    fs::remove(t.directory.path() / "from");
    REQUIRE(::mkfifo((t.directory.path() / "from").c_str(), 0600) == 0);
    CHECK_THROWS_AS(from.fd(), LocalChanged);
  }
  SUBCASE("too short for what is wanted") {
    CHECK_THROWS_AS(copy_range({from, 5, 6}, {t.to.get(), 0, "to"}), LocalChanged);
  }
}

TEST_CASE("local source: bytes are held against their digest, whatever the times of the file say") {
  Source t;
  write(t.directory.path() / "from", "0123456789");
  LocalSource from = t.source("from");
  const Digest wanted = sha256(as_bytes("345"));
  copy_checked({from, 3, 3}, {t.to.get(), 0, "to"}, wanted);
  CHECK(t.made() == "345");
  CHECK_THROWS_AS(copy_checked({from, 4, 3}, {t.to.get(), 3, "to"}, wanted), LocalChanged);
  CHECK_THROWS_AS(copy_checked({from, 8, 3}, {t.to.get(), 3, "to"}, wanted), LocalChanged);
  CHECK(t.made() == "345");
}

TEST_CASE("local source: what cannot be written is told as such, and is no change of the source") {
  Source t;
  write(t.directory.path() / "from", "0123456789");
  LocalSource from = t.source("from");
  const UniqueFd full = open_file("/dev/full", O_WRONLY);
  try {
    copy_range({from, 0, 10}, {full.get(), 0, "the target"});
    FAIL("written");
  } catch (const LocalChanged&) {
    FAIL("taken for a change");
  } catch (const Error& e) {
    CHECK(e.message().find("the target") != std::string::npos);
  }
}

TEST_CASE("local source: zeros are made, and nothing beside them") {
  Source t;
  write(t.directory.path() / "to", noise(3'000'000, 2));
  std::string wanted = noise(3'000'000, 2);
  wanted.replace(1001, 1'500'000, std::string(1'500'000, '\0'));
  make_hole(t.to.get(), 1001, 1'500'000, "to");
  make_hole(t.to.get(), 0, 0, "to");
  CHECK(t.made() == wanted);
}
