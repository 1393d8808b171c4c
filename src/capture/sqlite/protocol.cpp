#include "capture/sqlite/protocol.hpp"

#include "util/message_socket.hpp"

namespace cairn::sqlite {

namespace {

constexpr std::uint64_t k_largest_kind = static_cast<std::uint64_t>(ErrorKind::interrupted);

template <class Enum>
std::uint64_t number_of(Enum value) noexcept {
  return static_cast<std::uint64_t>(value);
}

std::uint64_t number_of(Nanoseconds time) noexcept {
  return static_cast<std::uint64_t>(time.count());
}

Nanoseconds duration(MessageReader& from) {
  return Nanoseconds{static_cast<std::int64_t>(from.number(INT64_MAX))};
}

void write(MessageWriter& to, const Opened& opened) {
  to.number(number_of(opened.kind)).text(opened.mode).number(opened.page_size).number(opened.page_count);
  to.number(opened.overlaid).text(as_text(opened.first_page_begin));
  to.number(number_of(opened.cut_point.time_since_epoch())).number(number_of(opened.commits_blocked));
  to.number(number_of(opened.pinned)).text(opened.schema_digest).number(number_of(opened.waited));
}

void write(MessageWriter& to, const Failed& failed) {
  to.number(number_of(failed.cause)).number(number_of(failed.kind)).text(failed.message).text(failed.hint);
  to.number(number_of(failed.waited));
}

void write(MessageWriter& to, const TemporaryWanted& wanted) {
  to.number(wanted.bytes);
}

void write(MessageWriter& to, const Released& released) {
  to.number(released.stood_still ? 1 : 0).number(number_of(released.pinned));
}

void write(MessageWriter&, const Settled&) {}
void write(MessageWriter& to, const CheckProgress& progress) {
  to.number(progress.bytes);
}

void write(MessageWriter& to, const CheckedItem& item) {
  to.number(number_of(item.kind)).text(item.name).number(item.number);
}

void write(MessageWriter& to, const Checked& checked) {
  to.number(number_of(checked.verdict)).text(checked.message).text(checked.schema_digest);
}

void write(MessageWriter& to, const Committed& committed) {
  to.number(number_of(committed.blocked)).number(committed.log_bytes);
}

void write(MessageWriter& to, const LogCopied& copied) {
  to.number(copied.whole ? 1 : 0);
}

Opened read_opened(MessageReader& from) {
  Opened opened;
  opened.kind = static_cast<Opened::Kind>(from.number(number_of(Opened::Kind::staged)));
  opened.mode = from.text();
  opened.page_size = static_cast<std::uint32_t>(from.number(65536));
  opened.page_count = from.number(UINT32_MAX);
  opened.overlaid = from.number(UINT32_MAX);
  append(opened.first_page_begin, as_bytes(from.text()));
  opened.cut_point = Time{duration(from)};
  opened.commits_blocked = duration(from);
  opened.pinned = duration(from);
  opened.schema_digest = from.text();
  opened.waited = duration(from);
  return opened;
}

Failed read_failed(MessageReader& from) {
  Failed failed;
  failed.cause = static_cast<Failed::Cause>(from.number(number_of(Failed::Cause::no_space)));
  failed.kind = static_cast<ErrorKind>(from.number(k_largest_kind));
  failed.message = from.text();
  failed.hint = from.text();
  failed.waited = duration(from);
  return failed;
}

Released read_released(MessageReader& from) {
  Released released;
  released.stood_still = from.number(1) != 0;
  released.pinned = duration(from);
  return released;
}

CheckedItem read_item(MessageReader& from) {
  CheckedItem item;
  item.kind = static_cast<CheckedItem::Kind>(from.number(number_of(CheckedItem::Kind::bad_schema)));
  item.name = from.text();
  item.number = from.number();
  return item;
}

Checked read_checked(MessageReader& from) {
  Checked checked;
  checked.verdict = static_cast<Checked::Verdict>(from.number(number_of(Checked::Verdict::unknown)));
  checked.message = from.text();
  checked.schema_digest = from.text();
  return checked;
}

Committed read_committed(MessageReader& from) {
  Committed committed;
  committed.blocked = duration(from);
  committed.log_bytes = from.number(INT64_MAX);
  return committed;
}

}  // namespace

Bytes encode(const OpenRequest& request) {
  MessageWriter to;
  to.number(number_of(request.reach)).text(request.name).number(request.file.device).number(request.file.inode);
  to.text(request.shown).number(static_cast<std::uint64_t>(request.patience.count()));
  to.number(request.assume_local ? 1 : 0).number(request.has_wal ? 1 : 0).number(request.has_journal ? 1 : 0);
  to.number(request.demanding ? 1 : 0).number(request.settle ? 1 : 0);
  to.number(request.thorough ? 1 : 0).number(request.write_live ? 1 : 0);
  return to.bytes();
}

OpenRequest decode_request(ByteView bytes) {
  MessageReader from{bytes};
  OpenRequest request;
  request.reach = static_cast<OpenRequest::Reach>(from.number(number_of(OpenRequest::Reach::check)));
  request.name = from.text();
  request.file.device = from.number();
  request.file.inode = from.number();
  request.shown = from.text();
  request.patience = std::chrono::milliseconds{static_cast<std::int64_t>(from.number(INT64_MAX))};
  request.assume_local = from.number(1) != 0;
  request.has_wal = from.number(1) != 0;
  request.has_journal = from.number(1) != 0;
  request.demanding = from.number(1) != 0;
  request.settle = from.number(1) != 0;
  request.thorough = from.number(1) != 0;
  request.write_live = from.number(1) != 0;
  return request;
}

Bytes encode(const Reply& reply) {
  MessageWriter to;
  to.number(reply.index());
  std::visit([&](const auto& message) { write(to, message); }, reply);
  return to.bytes();
}

Reply decode_reply(ByteView bytes) {
  MessageReader from{bytes};
  switch (from.number(std::variant_size_v<Reply> - 1)) {
    case 0:
      return read_opened(from);
    case 1:
      return read_failed(from);
    case 2:
      return TemporaryWanted{from.number()};
    case 3:
      return read_released(from);
    case 4:
      return Settled{};
    case 5:
      return CheckProgress{from.number()};
    case 6:
      return read_item(from);
    case 7:
      return read_checked(from);
    case 8:
      return read_committed(from);
    default:
      return LogCopied{from.number(1) != 0};
  }
}

}  // namespace cairn::sqlite
