#include "util/beneath.hpp"

#include "unit/support.hpp"
#include "util/error.hpp"

#include <fcntl.h>
#include <string>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;

namespace {

struct Place {
  TemporaryDirectory directory{fs::temp_directory_path()};
  UniqueFd root = open_file(directory.path(), O_PATH | O_DIRECTORY);
};

}  // namespace

TEST_CASE_FIXTURE(Place, "beneath: what is captured is read whole, and short only at its end") {
  write_file_atomic(directory.path() / "file", as_bytes("0123456789"));
  const UniqueFd fd = open_for_capture(root.get(), "file");
  REQUIRE(fd);
  Bytes out(4);
  CHECK(read_for_capture(fd.get(), out, 2, "x") == 4);
  CHECK(as_text(out) == "2345");
  CHECK(read_for_capture(fd.get(), out, 8, "x") == 2);
  CHECK(as_text(ByteView{out}.first(2)) == "89");
  CHECK(read_for_capture(fd.get(), out, 10, "x") == 0);
}

TEST_CASE_FIXTURE(Place, "beneath: what cannot be read is the source's failure, by the name that is given") {
  const UniqueFd fd = open_for_capture(root.get(), ".");
  REQUIRE(fd);
  Bytes out(4);
  const auto read = [&] { read_for_capture(fd.get(), out, 0, "the directory"); };
  CHECK_THROWS_AS(read(), SourceError);
  CHECK(test::message_of(read) == "unable to read 'the directory': Is a directory");
}

TEST_CASE_FIXTURE(Place, "beneath: neither a link nor a FIFO is followed or waited for") {
  write_file_atomic(directory.path() / "file", as_bytes("x"));
  fs::create_symlink("file", directory.path() / "link");
  fs::create_directory(directory.path() / "sub");
  fs::create_directory_symlink("sub", directory.path() / "away");
  write_file_atomic(directory.path() / "sub/file", as_bytes("x"));
  REQUIRE(::mkfifo((directory.path() / "fifo").c_str(), 0600) == 0);
  CHECK(open_for_capture(root.get(), "sub/file"));
  CHECK_FALSE(open_for_capture(root.get(), "link"));
  CHECK_FALSE(open_for_capture(root.get(), "away/file"));
  CHECK(open_for_capture(root.get(), "fifo"));
}
