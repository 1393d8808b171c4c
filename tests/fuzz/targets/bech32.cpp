// Bech32 texts. The first byte says how many bytes of data are expected, the second how long the prefix is.
#include "codec/bech32.hpp"

#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  fuzz::Numbers numbers{input};
  Bytes data(numbers.byte());
  const std::size_t prefix_size = numbers.byte() % 32;
  const std::string_view text = numbers.rest();
  const std::string_view prefix = text.substr(0, prefix_size);
  if (!bech32::decode(text, prefix, data)) {
    std::string again(bech32::encoded_size(prefix.size(), data.size()), '\0');
    bech32::encode(prefix, data, again);
    require(again == text, "what is accepted has one spelling");
  }
  // And whatever is encoded comes back.
  std::string written(bech32::encoded_size(3, text.size()), '\0');
  bech32::encode("age", as_bytes(text), written);
  Bytes read(text.size());
  require(!bech32::decode(written, "age", read) && as_text(read) == text, "what is encoded comes back");
  if (!text.empty()) {
    written[4 + text.size() % (written.size() - 4)] ^= 1;
    require(bech32::decode(written, "age", read).has_value(), "one wrong character is found");
  }
}

std::vector<std::string> seeds() {
  const auto& identity = fuzz::fixed_identity();
  return {std::string("\x20\x03", 2) + identity.recipient().text(),
          std::string("\x20\x0f", 2) + std::string{identity.text().text()}, std::string("\x00\x01", 2) + "a12uel5l"};
}

const fuzz::Registration k_registration{{"bech32", run, seeds}};

}  // namespace
