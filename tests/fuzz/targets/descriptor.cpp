// The descriptor, which says what kind of store this is.
#include "repo/descriptor.hpp"

#include "repo/local_state.hpp"
#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  fuzz::accepted({ErrorKind::damaged, ErrorKind::failed}, [&] {
    const Descriptor descriptor = Descriptor::parse(input, "d");
    const std::string text = descriptor.text();
    require(Descriptor::parse(text, "d").text() == text, "a descriptor is read as it was written");
    const StorePin pin = pin_of(descriptor);
    check_pin(pin, descriptor, "s");
    if (!descriptor.encrypted()) return;
    Descriptor opened = descriptor;
    opened.encryption = k_encryption_none;
    opened.recipients.clear();
    require(!fuzz::accepted({ErrorKind::untrusted}, [&] { check_pin(pin, opened, "s"); }),
            "a sealed store that is open all at once is refused");
  });
}

std::vector<std::string> seeds() {
  Descriptor descriptor;
  descriptor.store_id = std::string(32, 'a');
  descriptor.created = *parse_time("2026-11-21T03:24:10.123456789Z");
  Descriptor sealed = descriptor;
  sealed.encryption = k_encryption_age;
  sealed.recipients = {fuzz::fixed_identity().recipient().text()};
  sealed.create_only = true;
  sealed.requirements.write = {"something"};
  return {descriptor.text(), sealed.text()};
}

const fuzz::Registration k_registration{{"descriptor", run, seeds}};

}  // namespace
