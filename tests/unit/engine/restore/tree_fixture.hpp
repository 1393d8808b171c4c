// What the tests of a restore's staging, writing and moving share.
#pragma once

#include "capture/directory_source.hpp"
#include "engine/restore/publisher.hpp"
#include "engine/restore/staging.hpp"
#include "engine/restore/tree_writer.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"
#include "util/process.hpp"

#include <algorithm>
#include <fcntl.h>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

namespace cairn::test {

using Shape = RestoreTarget::Shape;
using Overwrite = RestoreTarget::Overwrite;

class Notes : public Reporter {
 public:
  void warning(const std::string& message) override { warnings.push_back(message); }
  void info(const std::string&) override {}
  void progress(const char*, std::uint64_t, std::uint64_t) override {}
  std::vector<std::string> warnings;
};

inline void put(const fs::path& path, std::string_view text) {
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write_all(fd.get(), as_bytes(text), path);
}

inline std::string get(const fs::path& path) {
  const Bytes bytes = read_file(path);
  return std::string{as_text(bytes)};
}

inline Entry make_entry(std::string path, EntryType type, std::uint64_t size = 0) {
  Entry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.mode = type == EntryType::directory ? 0755 : 0644;
  entry.uid = ::geteuid();
  entry.gid = ::getegid();
  entry.size = size;
  return entry;
}

// All that a restore needs to put entries at a target, without the store and the plan.
class StagedRestore {
 public:
  StagedRestore(RestoreTarget target, Reporter& reporter, const Digest& snapshot = {})
      : m_target(std::move(target)), m_reporter(reporter), m_mended(reporter), m_staging(make(snapshot)) {}
  std::unique_ptr<TreeWriter::File> begin_file(const Entry& entry) { return m_writer.begin_file(entry); }
  void finish_file(std::unique_ptr<TreeWriter::File> file) { m_writer.finish_file(std::move(file)); }
  void drop_file(std::unique_ptr<TreeWriter::File> file) { m_writer.drop_file(std::move(file)); }
  void add(const Entry& entry) { m_writer.add(entry); }
  void publish() { make_publisher({m_target, m_staging, m_tally, m_reporter, m_mended})->publish(m_writer.finish()); }
  const SkippedTally& skipped() const { return m_tally; }
  const Staging& staging() const { return m_staging; }

 private:
  Staging make(const Digest& snapshot) {
    LeftStaging{m_target, snapshot}.discard(m_reporter);
    return Staging::create(m_target, snapshot);
  }
  RestoreTarget m_target;
  Reporter& m_reporter;
  MendedDirectories m_mended;
  Staging m_staging;
  SkippedTally m_tally;
  TreeWriter m_writer{m_target, m_staging, m_tally};
};

inline void add_file(StagedRestore& writer, const std::string& path, std::string_view text) {
  auto file = writer.begin_file(make_entry(path, EntryType::file, text.size()));
  file->write_at(0, as_bytes(text));
  writer.finish_file(std::move(file));
}

inline void add_directory(StagedRestore& writer, const std::string& path) {
  writer.add(make_entry(path, EntryType::directory));
}

// What a snapshot and a restore do to the tree, without the store in between.
inline void copy_into(Source& source, StagedRestore& writer) {
  Bytes buffer(200000);
  while (auto item = source.next()) {
    if (!item->content) {
      writer.add(item->entry);
      continue;
    }
    const auto content = item->content->open(item->entry);
    auto file = writer.begin_file(item->entry);
    std::uint64_t offset = 0;
    for (;;) {
      const auto piece = content->read(buffer);
      if (piece.kind == Content::Piece::Kind::end) break;
      if (piece.kind == Content::Piece::Kind::data) {
        file->write_at(offset, ByteView{buffer}.first(static_cast<std::size_t>(piece.length)));
      }
      offset += piece.length;
    }
    CHECK(content->finish() == Content::Outcome::consistent);
    writer.finish_file(std::move(file));
  }
}

inline std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& item : fs::directory_iterator(directory)) names.push_back(item.path().filename().native());
  std::sort(names.begin(), names.end());
  return names;
}

template <class F>
ErrorKind kind_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    CHECK_FALSE(e.message().empty());
    return e.kind();
  }
  FAIL("nothing was thrown");
  return ErrorKind::failed;
}

struct TreeFixture {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path source = directory.path() / "source";
  fs::path target = directory.path() / "target";
  Notes notes;

  StagedRestore writer(Overwrite overwrite = Overwrite::no, Shape shape = Shape::tree) {
    return {RestoreTarget{target, shape, overwrite}, notes};
  }
  void copy(Overwrite overwrite = Overwrite::no) {
    DirectoryOptions options;
    options.path = source;
    DirectorySource from{options};
    StagedRestore to = writer(overwrite);
    copy_into(from, to);
    to.publish();
    CHECK(from.problems().empty());
  }
  // Fully compared by a program that shares nothing with this one.
  void check_same() const {
    Pipeline rsync{{{"sh", "-c",
                     "command -v rsync >/dev/null || exit 0; rsync -aHAXnc -@-1 --numeric-ids --delete "
                     "--itemize-changes \"$1\"/ \"$2\"/",
                     "sh", source.native(), target.native()}}};
    Bytes buffer(100000);
    const std::size_t n = rsync.read(buffer);
    CHECK(as_text(ByteView{buffer}.first(n)) == "");
    CHECK(rsync.wait()[0].ok());
  }
};

}  // namespace cairn::test
