#include "cli/app.hpp"
#include "util/interrupt.hpp"

int main(int argc, char** argv) {
  cairn::install_signal_handlers();
  cairn::Io io = cairn::process_io();
  return cairn::run(argc, argv, io);
}
