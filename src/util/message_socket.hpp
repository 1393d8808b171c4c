// Messages with descriptors between a process and a child of its own.
#pragma once

#include "util/bytes.hpp"
#include "util/file.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn {

// One end of a pair of connected sockets that keeps messages apart (unix(7), SOCK_SEQPACKET; descriptors travel as
// SCM_RIGHTS). Used by one thread at a time.
class MessageSocket {
 public:
  static constexpr std::size_t k_max_message = 64 * 1024;
  static constexpr std::size_t k_max_descriptors = 8;

  explicit MessageSocket(UniqueFd fd) noexcept : m_fd(std::move(fd)) {}
  // Both ends are close-on-exec. Throws Error.
  static std::pair<MessageSocket, MessageSocket> make_pair();

  struct Message {
    Bytes bytes;
    std::vector<UniqueFd> descriptors;
  };

  // False where the other end has gone. Throws Error for all else.
  bool send(ByteView bytes, const std::vector<int>& descriptors = {});
  // Waits until there is a message or the other end has gone (nothing). Throws Error where a message is larger than
  // allowed.
  std::optional<Message> receive();
  // Whether receive() would not wait, within that time; a signal ends the wait early, with false.
  bool wait(std::chrono::milliseconds time);

  int fd() const noexcept { return m_fd.get(); }

 private:
  UniqueFd m_fd;
};

// Fields of a message, one after the other, without names: both ends are the same program.
class MessageWriter {
 public:
  MessageWriter& number(std::uint64_t value);
  MessageWriter& text(std::string_view value);  // any bytes
  const Bytes& bytes() const noexcept { return m_bytes; }

 private:
  Bytes m_bytes;
};

// Throws Error(failed) where the message ends before the field does.
class MessageReader {
 public:
  explicit MessageReader(ByteView bytes) noexcept : m_rest(bytes) {}
  std::uint64_t number();
  // A number up to `most`; a larger one is an Error.
  std::uint64_t number(std::uint64_t most);
  std::string text();

 private:
  ByteView m_rest;
};

}  // namespace cairn
