// An entry list: lines, each by itself and in their order.
#include "repo/entry_order.hpp"
#include "repo/entry_text.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

std::string written(const EntryLine& line) {
  if (!line.entry) return write_part_line(line.part_size, line.extents);
  if (line.entry->type == EntryType::file) {
    return finish_entry_line(write_entry_head(*line.entry), line.extents, line.parts);
  }
  return write_entry_head(*line.entry) + "}\n";
}

void check_line(EntryLineParser& parser, const EntryLine& line) {
  const std::string text = written(line);
  const EntryLine again = parser.parse(text);
  require(written(again) == text, "a line is read as it was written");
  require(again.extents == line.extents && again.parts == line.parts, "a line keeps its extents");
  if (!line.entry) return;
  const Entry& e = *line.entry;
  require(is_valid_entry_path(e.path) && !e.path.starts_with('/'), "a path stays in the target");
  require(e.path.find("/../") == std::string::npos && !e.path.starts_with("../") && !e.path.ends_with("/..") &&
              e.path != "..",
          "a path stays in the target");
  require(e.mode <= 07777, "a mode has no other bits");
}

void run(std::string_view input) {
  EntryLineParser parser;
  EntryOrder tree{EntryOrder::Shape::tree};
  EntryOrder single{EntryOrder::Shape::single_file};
  bool tree_stands = true;
  bool single_stands = true;
  std::string last;
  while (!input.empty()) {
    const auto end = std::min(input.find('\n'), input.size());
    EntryLine line;
    const bool read = fuzz::accepted({ErrorKind::damaged}, [&] { line = parser.parse(input.substr(0, end)); });
    input.remove_prefix(std::min(end + 1, input.size()));
    if (!read) continue;
    check_line(parser, line);
    if (!line.entry) continue;
    if (tree_stands) {
      tree_stands = fuzz::accepted({ErrorKind::damaged}, [&] { tree.check(*line.entry); });
      require(!tree_stands || last.empty() || compare_paths(last, line.entry->path) < 0, "paths of a tree ascend");
      last = line.entry->path;
    }
    single_stands = single_stands && fuzz::accepted({ErrorKind::damaged}, [&] { single.check(*line.entry); });
  }
  fuzz::accepted({ErrorKind::damaged}, [&] { tree.check_end(); });
  fuzz::accepted({ErrorKind::damaged}, [&] { single.check_end(); });
}

std::vector<std::string> seeds() {
  std::vector<std::string> lines;
  Entry e;
  e.mtime = *parse_time("2026-11-21T03:24:10.123456789Z");
  e.ctime = e.mtime;
  const auto add = [&](EntryType type, const std::string& path) {
    e.type = type;
    e.path = path;
    EntryLine line;
    line.entry = e;
    if (type == EntryType::file) {
      line.extents = {{0x0123456789abcdefULL, 3, 2}, Extent::make_hole(4096)};
    }
    lines.push_back(written(line));
  };
  e.mode = 0755;
  e.user = "root";
  e.group = "gr\xff";
  add(EntryType::directory, ".");
  e.size = 123456;
  e.inode = 42;
  e.xattrs = {{"user.a", "value"}, {"user.b\xff", ""}};
  add(EntryType::file, "a\xfe");
  e.xattrs.clear();
  e.device_major = 8;
  e.device_minor = 1;
  add(EntryType::block_device, "b");
  add(EntryType::directory, "d");
  add(EntryType::fifo, "d/f");
  e.link_target = "a\xfe";
  add(EntryType::hard_link, "d/h");
  add(EntryType::symlink, "d/s");
  e.type = EntryType::file;
  e.path = "e";
  lines.push_back(finish_entry_line(write_entry_head(e), {}, 2));
  lines.push_back(write_part_line(100'000, {{0x0123456789abcdefULL, 0, 25}}));
  lines.push_back(write_part_line(23'456, {Extent::make_hole(23'456)}));
  std::string all;
  for (const auto& line : lines) all += line;
  lines.push_back(all);
  return lines;
}

const fuzz::Registration k_registration{{"entries", run, seeds}};

}  // namespace
