#define DOCTEST_CONFIG_IMPLEMENT
#include "capture/sqlite/reader_main.hpp"
#include "support/clean_environment.hpp"

#include <doctest/doctest.h>

int main(int argc, char** argv) {
  // Captures start this program again.
  if (const int status = cairn::sqlite::run_as_reader(argc, argv); status >= 0) return status;
  cairn::test::clean_environment();
  return doctest::Context{argc, argv}.run();
}
