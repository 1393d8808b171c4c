// The answers of a child that reads databases, which may be anything where somebody broke into it.
#include "capture/sqlite/protocol.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  fuzz::accepted({ErrorKind::failed}, [&] {
    const sqlite::Reply reply = sqlite::decode_reply(as_bytes(input));
    const Bytes again = sqlite::encode(reply);
    require(sqlite::encode(sqlite::decode_reply(again)) == again, "what is understood has one form");
  });
  fuzz::accepted({ErrorKind::failed}, [&] {
    const sqlite::OpenRequest request = sqlite::decode_request(as_bytes(input));
    require(sqlite::decode_request(sqlite::encode(request)).name == request.name, "a request comes back");
  });
}

std::vector<std::string> seeds() {
  const auto text = [](const Bytes& bytes) { return std::string{as_text(bytes)}; };
  sqlite::Opened opened;
  opened.mode = "wal";
  opened.first_page_begin = Bytes(100, 1);
  sqlite::Failed failed;
  failed.message = "unable to read database 'x'";
  sqlite::OpenRequest request;
  request.name = "app.db";
  return {text(sqlite::encode(sqlite::Reply{opened})),
          text(sqlite::encode(sqlite::Reply{failed})),
          text(sqlite::encode(sqlite::Reply{sqlite::TemporaryWanted{4096}})),
          text(sqlite::encode(sqlite::Reply{sqlite::Released{true, {}}})),
          text(sqlite::encode(sqlite::Reply{sqlite::Settled{}})),
          text(sqlite::encode(sqlite::Reply{sqlite::Committed{Nanoseconds{5}, 7}})),
          text(sqlite::encode(sqlite::Reply{sqlite::LogCopied{false}})),
          text(sqlite::encode(request))};
}

const fuzz::Registration k_registration{{"reader_protocol", run, seeds}};

}  // namespace
