// The header of an age file, and opening it with keys and a passphrase.
#include "codec/age/age.hpp"
#include "codec/age/header.hpp"
#include "samples.hpp"
#include "support/age_files.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

constexpr unsigned k_max_log_n = 5;  // a work factor that leaves time for other inputs

void run(std::string_view input) {
  fuzz::accepted({ErrorKind::damaged}, [&] {
    const auto header = age::parse_header(input);
    if (!header) return;
    require(header->size <= input.size() && header->size <= age::k_header_limit, "a header ends within its text");
    require(header->authenticated.data() == input.data() && header->authenticated.size() < header->size,
            "what is authenticated is the header's beginning");
    require(!header->scrypt || header->x25519.empty(), "a passphrase stands alone");
    require(!age::parse_header(input.substr(0, header->size - 1)), "a header is not whole before its end");
    // Little of what is behind the authentication code is reached by chance: seeds have whole files.
    fuzz::accepted({ErrorKind::damaged}, [&] {
      static_cast<void>(age::unwrap(*header, std::span{&fuzz::fixed_identity(), 1}));
    });
    fuzz::accepted({ErrorKind::damaged}, [&] { static_cast<void>(age::unwrap(*header, "passphrase", k_max_log_n)); });
  });
  fuzz::accepted({ErrorKind::damaged}, [&] {
    const auto size = age::preamble_size(input);
    require(!size || *size <= input.size(), "a preamble ends within its text");
  });
}

std::vector<std::string> seeds() {
  const age::Recipient other = age::Identity::generate().recipient();
  const std::vector both{fuzz::fixed_identity().recipient(), other};
  return {age::encrypt(both, "").substr(0, age::preamble_bytes(2)),
          age::encrypt_with_passphrase("x", "passphrase", false, 3),
          "age-encryption.org/v1\n-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"
          "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n-> other-kind and an argument\n"
          "dGVzdHRlc3R0ZXN0\n-> empty\n\n--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n0123456789abcdef"};
}

const fuzz::Registration k_registration{{"age_header", run, seeds}};

}  // namespace
