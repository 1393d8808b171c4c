// A source whose entries, contents and failures a test writes down.
#pragma once

#include "capture/source.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn::test {

struct ScriptedItem {
  Entry entry;
  std::string bytes;                           // of a file
  std::vector<ErrorKind> failures;             // of the first openings
  int changes = 0;                             // so many readings say at their end that the file changed
  std::optional<std::uint64_t> inode_at_open;  // another file by then
  std::optional<std::string> as_file;          // of a hard link: its bytes when it is opened by its own name
  bool has_links = false;
  ChunkRule rule = {};
  std::string problem;
  std::string facts;
  std::atomic<int> opened{0};
};

// A file of these bytes; its inode is 1, its times lie well back.
inline std::shared_ptr<ScriptedItem> scripted_file(const std::string& path, std::string bytes) {
  auto item = std::make_shared<ScriptedItem>();
  item->entry.path = path;
  item->entry.mode = 0644;
  item->entry.inode = 1;
  item->entry.mtime = item->entry.ctime = Time{} + std::chrono::days{10'000};
  item->entry.size = bytes.size();
  item->bytes = std::move(bytes);
  return item;
}
inline std::shared_ptr<ScriptedItem> scripted_directory(const std::string& path) {
  auto item = std::make_shared<ScriptedItem>();
  item->entry.path = path;
  item->entry.type = EntryType::directory;
  item->entry.mode = 0755;
  return item;
}
inline std::shared_ptr<ScriptedItem> scripted_link(const std::string& path, const std::string& target) {
  auto item = std::make_shared<ScriptedItem>();
  item->entry.path = path;
  item->entry.type = EntryType::hard_link;
  item->entry.link_target = target;
  item->entry.inode = 1;
  return item;
}

class ScriptedContent : public Content {
 public:
  ScriptedContent(std::shared_ptr<ScriptedItem> item, std::string bytes, const std::atomic<bool>& passed)
      : m_item(std::move(item)), m_bytes(std::move(bytes)), m_passed(passed) {}
  ChunkRule rule() const override { return m_item->rule; }
  std::uint64_t expected_size() const override { return m_bytes.size(); }
  Piece read(ByteSpan out) override {
    if (m_passed) throw SourceError(ErrorKind::failed, "the stream has gone on");
    const std::size_t n = std::min(out.size(), m_bytes.size() - m_at);
    std::copy_n(m_bytes.begin() + static_cast<std::ptrdiff_t>(m_at), n, out.begin());
    m_at += n;
    return n == 0 ? Piece{} : Piece{Piece::Kind::data, n};
  }
  Outcome finish() override { return m_item->changes-- > 0 ? Outcome::changed : Outcome::consistent; }
  std::string problem() const override { return m_item->problem; }
  std::string facts() const override { return m_item->facts; }

 private:
  std::shared_ptr<ScriptedItem> m_item;
  std::string m_bytes;
  const std::atomic<bool>& m_passed;
  std::size_t m_at = 0;
};

// A source that is sequential holds its reader to that: what is read too late, or a second time, fails.
class ScriptedSource : public Source {
 public:
  explicit ScriptedSource(std::vector<std::shared_ptr<ScriptedItem>> items) : m_items(std::move(items)) {}

  SourceKind is = SourceKind::directory;
  SourceShape formed = SourceShape::tree;
  SourceAccess read = SourceAccess::reopenable;
  std::uint64_t estimated = 0;
  SourceEnd end{Time{} + std::chrono::days{20'000}};
  std::optional<SourceError> broken;  // what finish() throws
  std::vector<SourceProblem> troubles;
  int finished = 0;

  SourceKind kind() const override { return is; }
  SourceShape shape() const override { return formed; }
  SourceAccess access() const override { return read; }
  std::string location() const override { return "/scripted"; }
  std::uint64_t estimate() override { return estimated; }
  std::optional<SourceItem> next() override {
    if (m_current) *m_current = read == SourceAccess::sequential;
    if (m_next == m_items.size()) {
      m_ended = true;
      return std::nullopt;
    }
    const auto& item = m_items[m_next++];
    m_current = std::make_shared<std::atomic<bool>>(false);
    SourceItem out;
    out.entry = item->entry;
    out.has_links = item->has_links;
    if (item->entry.type == EntryType::file) out.content = opener(item, item->bytes);
    if (item->as_file) out.as_file = opener(item, *item->as_file);
    return out;
  }
  SourceEnd finish() override {
    // The stream says this when all of it was read.
    if (!m_ended) throw SourceError(ErrorKind::failed, "finished before its end");
    ++finished;
    if (broken) throw SourceError{*broken};
    return end;
  }
  const std::vector<SourceProblem>& problems() const override { return troubles; }

 private:
  class Opener : public ContentOpener {
   public:
    Opener(std::shared_ptr<ScriptedItem> item, std::string bytes, std::shared_ptr<std::atomic<bool>> passed,
           SourceAccess access)
        : m_item(std::move(item)), m_bytes(std::move(bytes)), m_passed(std::move(passed)), m_access(access) {}
    std::unique_ptr<Content> open(Entry& entry) override {
      const int opened = m_item->opened++;
      if (m_access == SourceAccess::sequential && (opened > 0 || *m_passed)) {
        throw SourceError(ErrorKind::failed, "the stream passes by once");
      }
      if (static_cast<std::size_t>(opened) < m_item->failures.size()) {
        throw SourceError(m_item->failures[static_cast<std::size_t>(opened)], "unable to open " + entry.path);
      }
      if (m_item->inode_at_open) entry.inode = *m_item->inode_at_open;
      return std::make_unique<ScriptedContent>(m_item, m_bytes, *m_passed);
    }

   private:
    std::shared_ptr<ScriptedItem> m_item;
    std::string m_bytes;
    std::shared_ptr<std::atomic<bool>> m_passed;
    SourceAccess m_access;
  };
  std::shared_ptr<ContentOpener> opener(const std::shared_ptr<ScriptedItem>& item, const std::string& bytes) {
    return std::make_shared<Opener>(item, bytes, m_current, read);
  }

  std::vector<std::shared_ptr<ScriptedItem>> m_items;
  std::size_t m_next = 0;
  bool m_ended = false;
  std::shared_ptr<std::atomic<bool>> m_current;  // whether the item that was handed out last has passed by
};

}  // namespace cairn::test
