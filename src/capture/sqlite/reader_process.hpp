// This program's end of a child that reads databases.
#pragma once

#include "capture/sqlite/identity.hpp"
#include "capture/sqlite/protocol.hpp"
#include "capture/sqlite/reader_main.hpp"
#include "util/message_socket.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace cairn::sqlite {

// The child ended, or did not answer in time. What it read is lost, no other database is.
class ReaderGone : public SourceError {
 public:
  using SourceError::SourceError;
};

// There is no child: it could not be started, or not become whom it was to be.
class ReaderNotStarted : public SourceError {
 public:
  using SourceError::SourceError;
};

// One child. Used by one thread at a time. The destructor ends it, whatever it does.
class ReaderProcess {
 public:
  using Clock = std::chrono::steady_clock;

  // Starts it. service: the name that tells it what it is for (reader_main.hpp). Throws ReaderNotStarted.
  explicit ReaderProcess(const Identity& identity, const char* service = k_reader_name);
  ReaderProcess(const ReaderProcess&) = delete;
  ReaderProcess& operator=(const ReaderProcess&) = delete;
  ~ReaderProcess();

  struct Answer {
    Reply reply;
    std::vector<UniqueFd> descriptors;
  };
  // Throws ReaderGone, also where it has gone. shown: the database, for messages, where there is one already.
  void send(ByteView message, const std::vector<int>& descriptors = {}, const std::string& shown = {});
  // Waits until the deadline. Throws ReaderGone; Error(interrupted) as soon as a signal arrives. shown: the database,
  // for messages.
  Answer receive(Clock::time_point deadline, const std::string& shown);
  // The same for a message of any kind.
  MessageSocket::Message receive_message(Clock::time_point deadline, const std::string& shown);

  pid_t pid() const noexcept { return m_pid; }

 private:
  [[noreturn]] void fail(const std::string& shown, const std::string& how);
  // Kills it where it has not ended, and says how it did.
  std::string end() noexcept;

  MessageSocket m_socket;
  pid_t m_pid = -1;
};

// A child that is handed all that it needs: as root it is nobody, where this process may become that; else it has this
// process's own rights. Throws ReaderNotStarted.
std::unique_ptr<ReaderProcess> start_as_nobody(const char* service);

}  // namespace cairn::sqlite
