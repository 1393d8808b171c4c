#include "store/s3/object_read.hpp"

#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace cairn::s3 {

namespace {

// Of an object that is read as a whole, its size not known: no kind of which that is asked is larger.
constexpr std::uint64_t k_max_whole = k_gib;
// As many as threads that read at the same time.
constexpr std::size_t k_max_broken = 64;

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t total = 0;
};

// "bytes 0-9/443" (RFC 9110, 14.4); a total that the server does not know is of no use here.
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = whole_number(text.substr(0, dash));
  const auto last = whole_number(text.substr(dash + 1, slash - dash - 1));
  const auto total = whole_number(text.substr(slash + 1));
  if (!first || !last || !total || *first > *last || *last >= *total) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

std::optional<ContentRange> content_range_of(const HttpResponse& response) {
  return parse_content_range(response.header("content-range").value_or(""));
}

bool is_plain(const HttpResponse& response) {
  const std::string encoding = response.header("content-encoding").value_or("");
  return encoding.empty() || encoding == "identity";
}

// Weak ones (W/"...") never match.
std::optional<std::string> strong_etag(const HttpResponse& response) {
  auto etag = response.header("etag");
  if (!etag || !etag->starts_with('"') || etag->size() < 2 || !etag->ends_with('"')) return std::nullopt;
  return etag;
}

// Every answer with bytes has to keep to this. Object bodies are stored as they are; a server or proxy that compresses
// them in transit hands out other bytes.
std::optional<ObjectRead::Wrong> wrong_form(const HttpResponse& response) {
  if (!is_plain(response)) {
    return ObjectRead::Wrong{fmt::format("the server changed the content (content-encoding {})",
                                         quote(*response.header("content-encoding")))};
  }
  const auto length = response.header("content-length");
  if (!length && !response.header("transfer-encoding")) {
    return ObjectRead::Wrong{"the answer does not tell its length"};
  }
  if (length && whole_number(*length) != response.body.size()) {
    return ObjectRead::Wrong{fmt::format("the answer has {} bytes instead of {}", response.body.size(), quote(*length)),
                             true};
  }
  return std::nullopt;
}

}  // namespace

// The last byte's position, not the length; a range may reach past every object's end.
std::uint64_t ObjectRead::last() const noexcept {
  constexpr auto k_most = static_cast<std::uint64_t>(INT64_MAX);
  const std::uint64_t span = std::min(m_range->length - 1, k_most);
  return m_range->offset > k_most - span ? k_most : m_range->offset + span;
}

Pairs ObjectRead::headers() const {
  Pairs out;
  if (m_range) {
    out.emplace_back("range", fmt::format("bytes={}-{}", begin(), last()));
  } else if (!m_bytes.empty()) {
    out.emplace_back("range", fmt::format("bytes={}-", begin()));
  }
  if (!m_bytes.empty() && m_etag) out.emplace_back("if-match", *m_etag);
  return out;
}

// Also where the answer should only be the rest: the server may not know how to begin in the middle.
std::uint64_t ObjectRead::max_response() const noexcept {
  return m_range ? m_range->length : k_max_whole;
}

void ObjectRead::restart() {
  m_bytes = {};
  m_etag.reset();
  m_total.reset();
}

std::uint64_t ObjectRead::keep(HttpResponse&& broken_off) {
  if (broken_off.body.empty() || !is_plain(broken_off)) return 0;
  const auto range = content_range_of(broken_off);
  std::optional<std::uint64_t> total;
  if (broken_off.status == 206 && range && range->first == begin()) {
    total = range->total;
  } else if (broken_off.status == 200 && !m_range && m_bytes.empty()) {
    total = whole_number(broken_off.header("content-length").value_or(""));
  }
  const auto etag = strong_etag(broken_off);
  const bool another = (m_total && total != m_total) || (m_etag && etag && etag != m_etag);
  // Nothing is kept of what nothing tells apart from another object, or the end of.
  if (!total || another || broken_off.body.size() > *total - begin()) return 0;
  m_total = total;
  if (!m_etag) m_etag = etag;
  if (m_bytes.empty()) {
    m_bytes = std::move(broken_off.body);
    return m_bytes.size();
  }
  append(m_bytes, broken_off.body);
  return broken_off.body.size();
}

std::optional<ObjectRead::Wrong> ObjectRead::finish(HttpResponse&& response) {
  if (const auto wrong = wrong_form(response)) return wrong;
  // A server that ignores the range begins at the beginning.
  if (!m_bytes.empty() && response.status == 200) restart();
  return m_bytes.empty() ? finish_first(std::move(response)) : finish_rest(std::move(response));
}

std::optional<ObjectRead::Wrong> ObjectRead::finish_first(HttpResponse&& response) {
  if (m_range && response.status != 206) {
    // The whole object where a range was asked for: right only if the range holds all of it.
    if (m_range->offset != 0) return Wrong{"the server ignores ranges"};
  } else if (m_range) {
    const auto got = content_range_of(response);
    if (!got || got->first != m_range->offset || got->last - got->first + 1 != response.body.size() ||
        response.body.size() != std::min(m_range->length, got->total - got->first)) {
      return Wrong{fmt::format("asked for {} bytes from {} on, got {} bytes as {}", m_range->length, m_range->offset,
                               response.body.size(), quote(response.header("content-range").value_or(""))),
                   true};
    }
  }
  m_bytes = std::move(response.body);
  return std::nullopt;
}

std::optional<ObjectRead::Wrong> ObjectRead::finish_rest(HttpResponse&& response) {
  const auto got = content_range_of(response);
  const std::uint64_t end = m_range ? std::min(last(), *m_total - 1) : *m_total - 1;
  if (response.status != 206 || !got || got->first != begin() || got->last != end || got->total != m_total ||
      got->last - got->first + 1 != response.body.size()) {
    Wrong wrong{fmt::format("asked for the bytes {} to {} of {}, got {} bytes as {}", begin(), end, *m_total,
                            response.body.size(), quote(response.header("content-range").value_or(""))),
                true};
    restart();
    return wrong;
  }
  append(m_bytes, response.body);
  return std::nullopt;
}

void BrokenReads::put(const std::string& key, const std::optional<ByteRange>& range, ObjectRead read) {
  const std::lock_guard lock{m_mutex};
  m_oldest_first.push_back({key, range, std::move(read)});
  if (m_oldest_first.size() > k_max_broken) m_oldest_first.pop_front();
}

ObjectRead BrokenReads::take(const std::string& key, const std::optional<ByteRange>& range) {
  const std::lock_guard lock{m_mutex};
  const auto at = std::find_if(m_oldest_first.begin(), m_oldest_first.end(), [&](const Broken& broken) {
    const bool same_range =
        broken.range.has_value() == range.has_value() &&
        (!range || (broken.range->offset == range->offset && broken.range->length == range->length));
    return broken.key == key && same_range;
  });
  if (at == m_oldest_first.end()) return ObjectRead{range};
  ObjectRead read = std::move(at->read);
  m_oldest_first.erase(at);
  return read;
}

}  // namespace cairn::s3
