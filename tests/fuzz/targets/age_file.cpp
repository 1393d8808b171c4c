// A whole age file for a fixed key, or armoured, or behind a passphrase: read at once and by segments.
#include "codec/age/age.hpp"
#include "samples.hpp"
#include "support/age_files.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

constexpr unsigned k_max_log_n = 5;
const auto k_kinds = {ErrorKind::damaged, ErrorKind::no_key};

void read_by_segments(std::string_view file, const std::string& plain) {
  const auto preamble = age::preamble_size(file);
  require(preamble.has_value(), "what can be read has a preamble");
  const auto key = age::Decryptor::open(file, std::span{&fuzz::fixed_identity(), 1});
  require(key.has_value(), "what can be read has a key");
  const std::string_view payload = file.substr(*preamble);
  const std::size_t segments = (payload.size() + age::k_sealed_segment_bytes - 1) / age::k_sealed_segment_bytes;
  for (std::size_t i = segments; i-- > 0;) {
    std::string part;
    key->segment(i, i + 1 == segments, payload.substr(i * age::k_sealed_segment_bytes, age::k_sealed_segment_bytes),
                 part);
    require(part == std::string_view{plain}.substr(i * age::k_segment_bytes, age::k_segment_bytes),
            "both ways read the same");
  }
}

void run(std::string_view input) {
  const auto identities = std::span{&fuzz::fixed_identity(), 1};
  std::string file{input};
  if (age::is_armoured(input)) {
    if (!fuzz::accepted({ErrorKind::damaged}, [&] { file = age::dearmour(input); })) return;
    require(age::dearmour(age::armour(file)) == file, "armour comes off again");
  }
  std::string plain;
  const bool opened = fuzz::accepted(k_kinds, [&] { plain = age::decrypt(file, identities); });
  if (opened) read_by_segments(file, plain);
  fuzz::accepted(k_kinds, [&] {
    const auto found = fuzz::fixed_keyring().open_file(file);
    require(!opened || (found && *found == plain), "both ways read the same");
    require(opened || !found, "both ways refuse the same");
  });
  fuzz::accepted(k_kinds, [&] { static_cast<void>(age::decrypt_with_passphrase(input, "passphrase", k_max_log_n)); });
}

std::vector<std::string> seeds() {
  const std::vector recipients{fuzz::fixed_identity().recipient()};
  return {age::encrypt(recipients, ""),
          age::encrypt(recipients, "some text"),
          age::armour(age::encrypt(recipients, std::string(300, 'x'))),
          age::encrypt(recipients, std::string(age::k_segment_bytes + 1, 'y')),
          age::encrypt_with_passphrase("x", "passphrase", false, 2),
          age::encrypt_with_passphrase("x", "passphrase", true, 2)};
}

const fuzz::Registration k_registration{{"age_file", run, seeds}};

}  // namespace
