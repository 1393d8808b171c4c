// Files of age identities and recipients.
#include "codec/age/keys.hpp"
#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

// A few keys: each costs arithmetic and pages of its own.
constexpr std::size_t k_max_input = 600;

void run(std::string_view input) {
  if (input.size() > k_max_input) return;
  fuzz::accepted({ErrorKind::usage}, [&] {
    const auto identities = age::parse_identities(input);
    require(!identities.empty(), "an identity file has a key");
    for (const auto& identity : identities) {
      const SecretBytes text = identity.text();
      require(input.find(text.text()) != std::string_view::npos, "a key has one spelling");
      require(age::Identity::parse(text.text()).recipient() == identity.recipient(), "a key is read as it was written");
    }
  });
  fuzz::accepted({ErrorKind::usage}, [&] {
    const auto recipients = age::parse_recipients(input);
    require(!recipients.empty(), "a recipients file has a recipient");
    for (std::size_t i = 0; i < recipients.size(); ++i) {
      require(input.find(recipients[i].text()) != std::string_view::npos, "a recipient has one spelling");
      for (std::size_t j = 0; j < i; ++j) require(recipients[j] != recipients[i], "doubles come once");
    }
  });
}

std::vector<std::string> seeds() {
  const auto& identity = fuzz::fixed_identity();
  const std::string secret{identity.text().text()};
  const std::string recipient = identity.recipient().text();
  return {"# created: 2026-11-21T03:24:10Z\n# public key: " + recipient + "\n" + secret + "\n",
          " " + recipient + "\r\n\n#\n" + recipient + "\n" + age::Identity::generate().recipient().text(), secret};
}

const fuzz::Registration k_registration{{"age_keys", run, seeds}};

}  // namespace
