#include "capture/sqlite/query_child.hpp"

#include "capture/sqlite/query_protocol.hpp"
#include "capture/sqlite/query_session.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <unistd.h>
#include <utility>

#include <sys/mman.h>

namespace cairn::sqlite {

namespace {

// Stretches of pages that stay here: as many as scans of a table and its indexes side by side read from.
constexpr std::size_t k_stretches = 8;
constexpr std::size_t k_most_rows = 60 * 1024;

// Memory that the parent fills.
class Window {
 public:
  explicit Window(int fd) : m_bytes(::mmap(nullptr, k_window_size, PROT_READ, MAP_SHARED, fd, 0)) {
    if (m_bytes == MAP_FAILED) throw_errno("map", "the window", errno);
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  ~Window() { ::munmap(m_bytes, k_window_size); }
  ByteView first(std::uint64_t length) const noexcept {
    return {static_cast<const std::uint8_t*>(m_bytes), static_cast<std::size_t>(length)};
  }

 private:
  void* m_bytes;
};

void send(MessageSocket& parent, const QueryReply& reply) {
  if (!parent.send(encode(reply))) ::_exit(0);
}

class SupplyOfParent : public PageSupply {
 public:
  SupplyOfParent(MessageSocket& parent, int window) : m_parent(parent), m_window(window) {}

  bool read(std::size_t database, std::uint64_t offset, ByteSpan to) noexcept override {
    try {
      while (!to.empty()) {
        const std::size_t now = std::min<std::size_t>(to.size(), k_window_size);
        if (!take(database, offset, to.first(now)) && !fetch(database, offset, to.first(now))) return false;
        to = to.subspan(now);
        offset += now;
      }
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

 private:
  struct Stretch {
    std::size_t database;
    std::uint64_t offset;
    Bytes bytes;
  };

  bool take(std::size_t database, std::uint64_t offset, ByteSpan to) {
    for (const Stretch& stretch : m_stretches) {
      if (stretch.database != database || offset < stretch.offset) continue;
      const std::uint64_t skip = offset - stretch.offset;
      if (skip > stretch.bytes.size() || to.size() > stretch.bytes.size() - skip) continue;
      std::copy_n(stretch.bytes.begin() + static_cast<std::ptrdiff_t>(skip), to.size(), to.begin());
      return true;
    }
    return false;
  }

  bool fetch(std::size_t database, std::uint64_t offset, ByteSpan to) {
    send(m_parent, PagesWanted{database, offset, to.size()});
    const auto message = m_parent.receive();
    if (!message) ::_exit(0);
    const ByteView given = m_window.first(decode_pages_given(message->bytes).length);
    if (given.size() < to.size()) return false;
    std::copy_n(given.begin(), to.size(), to.begin());
    // A single page is SQLite's to keep.
    if (given.size() == to.size()) return true;
    if (m_stretches.size() == k_stretches) m_stretches.pop_back();
    append(m_stretches.emplace_front(Stretch{database, offset, {}}).bytes, given);
    return true;
  }

  MessageSocket& m_parent;
  Window m_window;
  std::deque<Stretch> m_stretches;  // the newest first
};

}  // namespace

void serve_query(MessageSocket& parent) {
  const auto message = parent.receive();
  if (!message) return;
  const QueryRequest request = decode_query_request(message->bytes);
  if (message->descriptors.empty() || request.databases.empty()) return;
  SupplyOfParent supply{parent, message->descriptors.front().get()};
  const auto result = answer_query(request, supply, [&](ByteView rows) {
    while (!rows.empty()) {
      const ByteView now = rows.first(std::min(rows.size(), k_most_rows));
      send(parent, RowBytes{Bytes(now.begin(), now.end())});
      rows = rows.subspan(now.size());
    }
  });
  std::visit([&](const auto& end) { send(parent, end); }, result);
  // The parent reads what was sent, and goes.
  parent.receive();
}

}  // namespace cairn::sqlite
