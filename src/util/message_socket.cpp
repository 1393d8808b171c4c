#include "util/message_socket.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>

#include <sys/socket.h>

namespace cairn {

namespace {

[[noreturn]] void fail_short() {
  throw Error(ErrorKind::failed, "unable to read a message of another process: it is cut short");
}

}  // namespace

std::pair<MessageSocket, MessageSocket> MessageSocket::make_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) throw_errno("create", "socket", errno);
  return {MessageSocket{UniqueFd{fds[0]}}, MessageSocket{UniqueFd{fds[1]}}};
}

bool MessageSocket::send(ByteView bytes, const std::vector<int>& descriptors) {
  if (bytes.size() > k_max_message || descriptors.size() > k_max_descriptors) {
    throw Error(ErrorKind::failed, "unable to send a message to another process: it is too large");
  }
  // sendmsg(2) only reads it.
  struct iovec part {
    const_cast<std::uint8_t*>(bytes.data()), bytes.size()
  };
  alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_max_descriptors)> control{};
  struct msghdr header {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    struct cmsghdr* const first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(first), descriptors.data(), sizeof(int) * descriptors.size());
  }
  const ssize_t sent = retry_interrupted([&] { return ::sendmsg(m_fd.get(), &header, MSG_NOSIGNAL); });
  if (sent >= 0) return true;
  if (errno == EPIPE || errno == ECONNRESET) return false;
  throw_errno("write to", "socket", errno);
}

std::optional<MessageSocket::Message> MessageSocket::receive() {
  Message message;
  message.bytes.resize(k_max_message);
  struct iovec part {
    message.bytes.data(), message.bytes.size()
  };
  alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_max_descriptors)> control{};
  struct msghdr header {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t got = retry_interrupted([&] { return ::recvmsg(m_fd.get(), &header, MSG_CMSG_CLOEXEC); });
  if (got < 0 && errno != ECONNRESET) throw_errno("read from", "socket", errno);
  if (got <= 0) return std::nullopt;
  for (struct cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr; at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
      message.descriptors.emplace_back(fd);
    }
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    throw Error(ErrorKind::failed, "unable to read a message of another process: it is too large");
  }
  message.bytes.resize(static_cast<std::size_t>(got));
  return message;
}

bool MessageSocket::wait(std::chrono::milliseconds time) {
  struct pollfd item {
    m_fd.get(), POLLIN, 0
  };
  const int ready = ::poll(&item, 1, static_cast<int>(time.count()));
  if (ready < 0 && errno != EINTR) throw_errno("wait for", "socket", errno);
  return ready > 0;
}

MessageWriter& MessageWriter::number(std::uint64_t value) {
  put_u64(m_bytes, value);
  return *this;
}

MessageWriter& MessageWriter::text(std::string_view value) {
  put_u64(m_bytes, value.size());
  append(m_bytes, as_bytes(value));
  return *this;
}

std::uint64_t MessageReader::number() {
  if (m_rest.size() < sizeof(std::uint64_t)) fail_short();
  const std::uint64_t value = get_u64(m_rest.data());
  m_rest = m_rest.subspan(sizeof value);
  return value;
}

std::uint64_t MessageReader::number(std::uint64_t most) {
  const std::uint64_t value = number();
  if (value > most) throw Error(ErrorKind::failed, "unable to read a message of another process: it makes no sense");
  return value;
}

std::string MessageReader::text() {
  const std::uint64_t size = number();
  if (size > m_rest.size()) fail_short();
  std::string value{as_text(m_rest.first(static_cast<std::size_t>(size)))};
  m_rest = m_rest.subspan(value.size());
  return value;
}

}  // namespace cairn
