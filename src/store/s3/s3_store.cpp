#include "store/s3/s3_store.hpp"

#include "store/as_store_error.hpp"
#include "store/key.hpp"
#include "store/s3/listing_progress.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <charconv>
#include <fcntl.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn::s3 {

namespace {

using Transient = StoreError::Transient;

// 1000 keys of 1024 bytes, each byte encoded as three, and as much again for the rest.
constexpr std::uint64_t k_max_xml = 8 * k_mib;
constexpr std::size_t k_delete_batch = 1000;
constexpr std::uint64_t k_max_put = 5 * k_gib;
// An answer that brings less before it breaks off counts as an attempt that failed; what it brought is kept all the
// same.
constexpr std::uint64_t k_progress = 16 * k_kib;

[[noreturn]] void fail_plainly(const Call& call, std::string_view cause, Transient transient = Transient::no) {
  throw StoreError(ErrorKind::failed, transient, fmt::format("unable to {} {}: {}", call.verb, call.what, cause));
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct BodyHashes {
  Digest sha256;
  Bytes md5;
};

BodyHashes hashes_of(const ObjectBody& body, int fd) {
  Md5 md5_state;
  Sha256 sha_state;
  const auto update = [&](ByteView bytes) {
    md5_state.update(bytes);
    if (!body.sha256) sha_state.update(bytes);
  };
  if (fd < 0) {
    update(body.memory);
  } else {
    Bytes buffer(std::size_t{1} << 20);
    for (std::uint64_t at = 0; at < body.size;) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), body.size - at));
      if (read_at(fd, ByteSpan{buffer}.first(want), at, *body.file) != want) {
        throw Error(ErrorKind::failed,
                    fmt::format("unable to read {}: the file got shorter meanwhile", quote(body.file->native())));
      }
      update(ByteView{buffer}.first(want));
      at += want;
    }
  }
  return {body.sha256 ? *body.sha256 : sha_state.finish(), md5_state.finish()};
}

// The body's file, of the announced size.
UniqueFd open_body(const ObjectBody& body) {
  UniqueFd fd = open_file(*body.file, O_RDONLY);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("stat", body.file->native(), errno);
  if (!S_ISREG(st.st_mode) || static_cast<std::uint64_t>(st.st_size) != body.size) {
    throw Error(ErrorKind::failed, fmt::format("unable to store {}: its size is not the announced {} bytes",
                                               quote(body.file->native()), body.size));
  }
  return fd;
}

}  // namespace

S3Store::S3Store(Location location, CredentialSource credentials, Reporter& reporter, std::function<Time()> clock)
    : m_client(std::move(location), std::move(credentials), reporter, std::move(clock)) {}

std::string S3Store::describe() const {
  const Location& location = m_client.location();
  return "s3://" + location.bucket + (location.prefix.empty() ? "" : "/" + location.prefix);
}

std::string S3Store::full_key(const std::string& key) const {
  const std::string& prefix = m_client.location().prefix;
  return prefix.empty() ? key : prefix + "/" + key;
}

Call S3Store::bucket_call(std::string method, std::string verb) const {
  Call out;
  out.method = std::move(method);
  out.verb = std::move(verb);
  out.what = describe();
  return out;
}

Call S3Store::object_call(std::string method, const std::string& key, std::string verb) const {
  require_valid_key(key);
  Call out = bucket_call(std::move(method), std::move(verb));
  out.key = full_key(key);
  out.what = fmt::format("{} in {}", quote(key), describe());
  return out;
}

Answer S3Store::put_object(const std::string& key, const ObjectBody& body, bool only_if_absent, Call& call) {
  call = object_call("PUT", key, "store");
  if (body.size > k_max_put) fail_plainly(call, "more than 5 GiB do not fit into one PUT");
  if (!body.file && body.memory.size() != body.size) fail_plainly(call, "its size is not the announced one");
  const UniqueFd fd = body.file ? as_store_error([&] { return open_body(body); }) : UniqueFd{};
  const BodyHashes hashes = as_store_error([&] { return hashes_of(body, fd.get()); });
  call.body = HttpBody{body.memory, fd.get(), body.size};
  call.body_sha256 = hashes.sha256;
  call.max_response = k_max_xml;
  call.headers = {{"content-md5", to_base64(hashes.md5)}, {"content-type", "application/octet-stream"}};
  if (only_if_absent) {
    call.headers.emplace_back("if-none-match", "*");
    call.fresh_connection = true;
  }
  Answer answer = as_store_error([&] { return m_client.perform(call); });
  call.body.reset();  // it points to what ends here
  return answer;
}

S3Store::ConditionalPut S3Store::put_if_absent(const std::string& key, const ObjectBody& body, Call& call) {
  const Answer answer = put_object(key, body, true, call);
  if (answer.ok()) return ConditionalPut::stored;
  if (answer.response.status == 412) return ConditionalPut::exists;
  if (answer.response.status == 501 || answer.error.code == "NotImplemented") return ConditionalPut::unsupported;
  m_client.fail(call, answer);
}

PutOutcome S3Store::put(const std::string& key, const ObjectBody& body, PutMode mode) {
  Call call;
  if (mode == PutMode::replace) {
    const Answer answer = put_object(key, body, false, call);
    if (!answer.ok()) m_client.fail(call, answer);
    return PutOutcome::stored;
  }
  require_valid_key(key);
  if (m_create_only) {
    switch (put_if_absent(key, body, call)) {
      case ConditionalPut::stored:
        return PutOutcome::stored;
      case ConditionalPut::exists:
        return PutOutcome::exists;
      case ConditionalPut::unsupported:
        break;
    }
  }
  throw StoreError(ErrorKind::failed, Transient::no,
                   fmt::format("unable to store {} in {}: the store has no create-only PUT", quote(key), describe()));
}

bool S3Store::probe_create_only() {
  const std::string key = "probe/" + random_name();
  Call call;
  const std::string first = "create-only probe " + key + " 1\n";
  const std::string second = "create-only probe " + key + " 2\n";
  const auto once = put_if_absent(key, ObjectBody::from_text(first), call);
  const auto twice = once == ConditionalPut::stored ? put_if_absent(key, ObjectBody::from_text(second), call) : once;
  // Believed only if the second was refused and the first is what is there.
  bool honoured = once == ConditionalPut::stored && twice == ConditionalPut::exists;
  if (honoured) {
    const auto kept = get(key);
    honoured = kept && as_text(*kept) == first;
  }
  // Whoever may write may not be permitted to delete, and retention may hold the object: a few bytes stay then.
  if (once == ConditionalPut::stored) m_client.perform(object_call("DELETE", key, "remove"));
  m_create_only = honoured;
  return honoured;
}

bool S3Store::is_absent(const Call& call, const Answer& answer) {
  if (answer.response.status != 404 || answer.error.code == "NoSuchBucket") return false;
  if (answer.error.code == "NoSuchKey") m_bucket_seen = true;
  // The answer to a HEAD has no body to say more in.
  const bool own =
      !answer.error.code.empty() || (call.method != "GET" && answer.response.header("x-amz-request-id").has_value());
  if (own) {
    if (!m_bucket_seen) now();
    return true;
  }
  Call question = bucket_call("GET", m_bucket_seen ? "list" : "reach");
  question.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", "1"}, {"prefix", call.key}};
  const Listing listing = list_page(question);
  const auto& objects = listing.page.objects;
  const bool listed =
      std::any_of(objects.begin(), objects.end(), [&](const auto& each) { return each.key == call.key; });
  if (listed) fail_plainly(call, "404 not found, though it is listed", Transient::yes);
  return true;
}

std::optional<Bytes> S3Store::get(const std::string& key, std::optional<ByteRange> range) {
  require_valid_key(key);
  // No byte, or one beyond every object's end.
  if (range && (range->length == 0 || range->offset > static_cast<std::uint64_t>(INT64_MAX))) {
    return head(key) ? std::optional{Bytes{}} : std::nullopt;
  }
  ObjectRead read = m_broken_reads.take(key, range);
  try {
    for (;;) {
      auto done = read_on(key, range.has_value(), read);
      if (done) return std::move(*done);
    }
  } catch (const StoreError& e) {
    // Whoever tries again goes on from there.
    if (e.transient() && read.reached() > 0) m_broken_reads.put(key, range, std::move(read));
    throw;
  }
}

// One answer more; nothing where another one is needed.
std::optional<std::optional<Bytes>> S3Store::read_on(const std::string& key, bool is_range, ObjectRead& read) {
  Call call = object_call("GET", key, "read");
  call.returns_object = true;
  call.headers = read.headers();
  call.max_response = read.max_response();
  HttpResponse broken_off;
  call.broken_off = &broken_off;
  const bool goes_on = read.reached() > 0;
  Answer answer;
  try {
    answer = m_client.perform(call);
  } catch (const StoreError& e) {
    if (!e.transient() || read.keep(std::move(broken_off)) < k_progress) throw;
    return std::nullopt;
  }
  HttpResponse& response = answer.response;
  if (is_absent(call, answer)) return std::optional<Bytes>{};
  if (goes_on && (response.status == 412 || response.status == 416)) {
    read.restart();
    return std::nullopt;
  }
  if (is_range && response.status == 416) return Bytes{};
  if (!answer.ok()) m_client.fail(call, answer);
  if (const auto wrong = read.finish(std::move(response))) {
    fail_plainly(call, wrong->cause, wrong->transient ? Transient::yes : Transient::no);
  }
  return read.take();
}

std::optional<ObjectInfo> S3Store::head(const std::string& key) {
  const Call call = object_call("HEAD", key, "look up");
  const Answer answer = m_client.perform(call);
  if (is_absent(call, answer)) return std::nullopt;
  if (!answer.ok()) m_client.fail(call, answer);
  const auto size = whole_number(answer.response.header("content-length").value_or(""));
  const auto modified = parse_http_date(answer.response.header("last-modified").value_or(""));
  if (!size || !modified) fail_plainly(call, "the answer has no length or no time");
  return ObjectInfo{key, *size, *modified};
}

S3Store::Listing S3Store::list_page(Call& call) {
  call.max_response = k_max_xml;
  Answer answer = m_client.perform(call);
  // Who never answered as S3 does is as likely something else at a wrong address as a store that is out of order.
  const auto of_another = [&](std::string_view cause) {
    throw StoreError(ErrorKind::failed, m_bucket_seen ? Transient::yes : Transient::unreachable,
                     fmt::format("unable to {} {}: {}", call.verb, call.what, cause), m_client.endpoint_hint());
  };
  // S3 would say what it is that was not found.
  if (answer.response.status == 404 && answer.error.code.empty()) of_another("404 not found");
  if (!answer.ok()) m_client.fail(call, answer);
  auto page = parse_list(answer.response.body);
  if (!page) of_another("the answer is no listing");
  m_bucket_seen = true;
  return {std::move(answer), std::move(*page)};
}

void S3Store::list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) {
  list_after(prefix, {}, visit);
}

void S3Store::list_after(const std::string& prefix, const std::string& after,
                         const std::function<void(const ObjectInfo&)>& visit) {
  const std::string own = full_key("");
  const std::string wanted = own + prefix;
  std::string last = after.empty() ? std::string{} : own + after;
  std::string token;
  ListingProgress progress;
  for (;;) {
    // A command begins with a listing: what is wrong with the bucket, the keys or the way to it is no matter of lists.
    Call call = bucket_call("GET", m_bucket_seen ? "list" : "reach");
    call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", wanted}};
    if (!token.empty()) {
      call.query.emplace_back("continuation-token", token);
    } else if (!last.empty()) {
      call.query.emplace_back("start-after", last);
    }
    const ListPage page = list_page(call).page;
    for (const auto& object : page.objects) {
      // A listing that goes back or astray would make objects seem absent that are there.
      if (!object.key.starts_with(wanted) || object.key <= last) {
        fail_plainly(call, fmt::format("the server lists {} after {}", quote(object.key), quote(last)));
      }
      last = object.key;
      std::string key = object.key.substr(own.size());
      if (is_valid_key(key)) visit({std::move(key), object.size, object.modified});
    }
    if (!page.truncated) return;
    // Short and empty pages are allowed as long as the listing gets on.
    if (const auto wrong = progress.add_page(page.objects.size(), page.next_token)) fail_plainly(call, *wrong);
    token = page.next_token;
  }
}

bool S3Store::remove_batch(std::span<const std::string> keys, std::vector<RemoveFailure>& failures) {
  Call call = bucket_call("POST", "remove objects from");
  call.query = {{"delete", ""}};
  std::vector<std::string> full;
  full.reserve(keys.size());
  for (const auto& key : keys) full.push_back(full_key(key));
  const std::string body = delete_request(full);
  call.body = HttpBody{as_bytes(body), -1, body.size()};
  call.body_sha256 = sha256(body);
  call.headers = {{"content-md5", to_base64(md5(as_bytes(body)))}, {"content-type", "application/xml"}};
  call.max_response = k_max_xml;
  const Answer answer = m_client.perform(call);
  const int status = answer.response.status;
  if (status == 405 || status == 501 || answer.error.code == "NotImplemented" ||
      answer.error.code == "MethodNotAllowed") {
    return false;
  }
  if (!answer.ok()) m_client.fail(call, answer);
  const auto errors = parse_delete_result(answer.response.body);
  if (!errors) fail_plainly(call, "the answer is no deletion result", Transient::yes);
  const std::size_t own = full_key("").size();
  for (const auto& error : *errors) {
    if (error.code == "NoSuchKey") continue;
    const std::string cause = terminal_safe(error.code + ": " + error.message.substr(0, 300));
    // Removing is repeatable: the whole is tried again.
    if (is_transient(200, error.code)) fail_plainly(call, cause, Transient::yes);
    failures.push_back({error.key.size() > own ? error.key.substr(own) : error.key, cause});
  }
  return true;
}

void S3Store::remove_one(const std::string& key, std::vector<RemoveFailure>& failures) {
  const Call call = object_call("DELETE", key, "remove");
  const Answer answer = m_client.perform(call);
  if (answer.ok()) return;
  if (is_absent(call, answer)) return;
  const StoreError error = failure(answer, call.verb, call.what, {});
  if (error.transient() || error.kind() == ErrorKind::not_found) m_client.fail(call, answer);
  failures.push_back({key, error.message()});
}

std::vector<RemoveFailure> S3Store::remove(std::span<const std::string> keys) {
  for (const auto& key : keys) require_valid_key(key);
  std::vector<RemoveFailure> failures;
  while (!keys.empty()) {
    const auto batch = keys.first(std::min(keys.size(), k_delete_batch));
    if (m_batch_delete && !remove_batch(batch, failures)) m_batch_delete = false;
    if (!m_batch_delete) {
      for (const auto& key : batch) remove_one(key, failures);
    }
    keys = keys.subspan(batch.size());
  }
  return failures;
}

Time S3Store::now() {
  Call call = bucket_call("GET", "reach");
  call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", "1"}, {"prefix", full_key("")}};
  const Answer answer = list_page(call).answer;
  const auto date = parse_http_date(answer.response.header("date").value_or(""));
  if (!date) fail_plainly(call, "the server does not tell its time");
  return *date;
}

}  // namespace cairn::s3
