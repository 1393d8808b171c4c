// The world outside the store as the program has it: streams, environment, clock. Tests give their own.
#pragma once

#include "util/environment.hpp"
#include "util/error.hpp"
#include "util/service_manager.hpp"
#include "util/time.hpp"

#include <functional>
#include <istream>
#include <memory>
#include <ostream>
#include <string>

namespace cairn {

struct Io {
  std::istream& in;
  std::ostream& out;  // data
  std::ostream& err;  // all else
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  EnvironmentLookup environment;
  std::function<Time()> clock;
  // The descriptor that `out` writes to, for content that is too much for a stream; -1: nobody knows.
  int out_descriptor = -1;
  // Whether whoever reads `out` went away ("| head"); empty: nobody knows.
  std::function<bool()> out_abandoned = {};
  // Called before a key is read (forbid_core_dumps_of_secrets() in the program); may be empty.
  std::function<void()> protect_memory = {};
  // Tells this process's messages from those of others; children have it as CAIRN_RUN_ID.
  std::string run_id = {};
  // Whether these two go to the journal, as JOURNAL_STREAM says.
  bool out_is_journal = false;
  bool err_is_journal = false;
  // Who wants to know how it goes; null: nobody.
  std::shared_ptr<ServiceManager> manager = {};
};

// The output did not arrive: the disk is full, or the reader went away.
class OutputLost : public Error {
 public:
  explicit OutputLost(const std::string& more = {})
      : Error(ErrorKind::failed, "unable to write standard output" + more) {}
};

// The streams, environment and clock of this process.
Io process_io();

}  // namespace cairn
