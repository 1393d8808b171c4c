#include "capture/sqlite/reader_main.hpp"
#include "cli/app.hpp"
#include "util/interrupt.hpp"

#include <malloc.h>

int main(int argc, char** argv) {
  if (const int status = cairn::sqlite::run_as_reader(argc, argv); status >= 0) return status;
  // Buffers are filled by one thread and freed by another, which leaves each thread's own heap full of holes: one heap
  // for all takes half the memory, and no more time.
  mallopt(M_ARENA_MAX, 1);
  cairn::install_signal_handlers();
  cairn::Io io = cairn::process_io();
  return cairn::run(argc, argv, io);
}
