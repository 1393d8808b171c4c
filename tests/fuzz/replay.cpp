// Runs inputs through fuzz targets without a fuzzer, under any compiler.
//   cairn_fuzz_replay TARGET FILE|DIRECTORY...   these inputs
//   cairn_fuzz_replay --corpus DIRECTORY         DIRECTORY/TARGET/* of every target; each must have some
//   cairn_fuzz_replay --write-seeds DIRECTORY    writes DIRECTORY/TARGET/seed-N
//   cairn_fuzz_replay --list
#include "target.hpp"
#include "util/file.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

using namespace cairn;

namespace {

int usage() {
  std::fputs(
      "usage: cairn_fuzz_replay TARGET FILE|DIRECTORY... | --corpus DIRECTORY | --write-seeds DIRECTORY | --list\n",
      stderr);
  return 2;
}

// In order of their names, so that a failure is the same one every time.
std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& item : fs::directory_iterator{path}) files.push_back(item.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::size_t replay(const fuzz::Target& target, const fs::path& path) {
  const auto files = files_of(path);
  for (const auto& file : files) {
    const Bytes bytes = read_file(file);
    // Where it ends, the log ends with the input to blame.
    std::fprintf(stderr, "%s %s\n", target.name, file.filename().c_str());
    target.run(as_text(bytes));
  }
  return files.size();
}

int replay_corpus(const fs::path& corpus) {
  std::size_t inputs = 0;
  for (const auto& target : fuzz::targets()) {
    const fs::path folder = corpus / target.name;
    const std::size_t here = fs::is_directory(folder) ? replay(target, folder) : 0;
    std::printf("%-16s %zu\n", target.name, here);
    fuzz::require(here != 0, "every target has inputs in the corpus");
    inputs += here;
  }
  for (const auto& item : fs::directory_iterator{corpus}) {
    const auto& all = fuzz::targets();
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const auto& target) { return item.path().filename() == target.name; });
    fuzz::require(known, "every folder of the corpus is a target's");
  }
  std::printf("%zu inputs, %zu targets\n", inputs, fuzz::targets().size());
  return 0;
}

int write_seeds(const fs::path& directory) {
  for (const auto& target : fuzz::targets()) {
    const fs::path folder = directory / target.name;
    fs::create_directories(folder);
    std::size_t number = 0;
    for (const auto& seed : target.seeds()) {
      write_file_atomic(folder / ("seed-" + std::to_string(number++)), as_bytes(seed));
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) return usage();
  if (arguments[0] == "--list") {
    for (const auto& target : fuzz::targets()) std::printf("%s\n", target.name);
    return 0;
  }
  if (arguments.size() < 2) return usage();
  if (arguments[0] == "--corpus") return replay_corpus(arguments[1]);
  if (arguments[0] == "--write-seeds") return write_seeds(arguments[1]);
  for (const auto& target : fuzz::targets()) {
    if (arguments[0] != target.name) continue;
    for (std::size_t i = 1; i < arguments.size(); ++i) replay(target, arguments[i]);
    return 0;
  }
  return usage();
}
