// Writes files into a C++ source, as the value of recovery_files(): embed OUTPUT NAME=FILE...
#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Input {
  std::string name;
  std::string content;
};

bool read(const std::string& path, std::string& content) {
  std::ifstream from{path, std::ios::binary};
  content.assign(std::istreambuf_iterator<char>{from}, {});
  return from && !content.empty();
}

void write_array(std::ostream& to, std::size_t number, const std::string& content) {
  to << "constexpr unsigned char k_file_" << number << "[] = {";
  std::size_t column = 0;
  for (const char c : content) {
    to << (column++ % 32 == 0 ? "\n" : "") << static_cast<unsigned>(static_cast<unsigned char>(c)) << ',';
  }
  to << "\n};\n";
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Input> inputs;
  for (int i = 2; i < argc; ++i) {
    const std::string_view argument{argv[i]};
    const auto at = argument.find('=');
    Input input{std::string{argument.substr(0, at)}, {}};
    if (at == std::string_view::npos || !read(std::string{argument.substr(at + 1)}, input.content)) {
      std::cerr << "embed: unable to read " << argument << '\n';
      return 1;
    }
    inputs.push_back(std::move(input));
  }
  std::sort(inputs.begin(), inputs.end(), [](const Input& a, const Input& b) { return a.name < b.name; });
  std::ofstream to{argv[1], std::ios::binary};
  to << "#include \"engine/recover/recovery_files.hpp\"\n\n#include <array>\n\nnamespace cairn {\n\nnamespace {\n\n";
  for (std::size_t i = 0; i < inputs.size(); ++i) write_array(to, i, inputs[i].content);
  to << "\ntemplate <std::size_t N>\nstd::string_view text(const unsigned char (&bytes)[N]) {\n"
        "  return {reinterpret_cast<const char*>(bytes), N};\n}\n\n}  // namespace\n\n"
        "std::span<const RecoveryFile> recovery_files() {\n  static const std::array<RecoveryFile, "
     << inputs.size() << "> k_files{{\n";
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    to << "      {\"" << inputs[i].name << "\", text(k_file_" << i << ")},\n";
  }
  to << "  }};\n  return k_files;\n}\n\n}  // namespace cairn\n";
  to.close();
  if (to) return 0;
  std::cerr << "embed: unable to write " << argv[1] << '\n';
  return 1;
}
