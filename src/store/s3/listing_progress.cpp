#include "store/s3/listing_progress.hpp"

#include <fmt/format.h>

namespace cairn::s3 {

std::optional<std::string> ListingProgress::add_page(std::size_t objects, const std::string& next_token) {
  if (next_token.empty()) return "the server says that there is more, and not how to get it";
  ++m_pages;
  m_objects += objects;
  // Keys ascend, which the caller sees to: with an object the listing got on, whatever its tokens are.
  if (objects != 0) {
    m_tokens.clear();
    m_empty_pages = 0;
  } else if (++m_empty_pages > k_most_empty_pages) {
    return fmt::format("more than {} pages of the listing in a row are empty", k_most_empty_pages);
  }
  if (next_token == m_last || !m_tokens.insert(next_token).second) return "the server lists in a circle";
  m_last = next_token;
  if (m_pages > k_free_pages && m_objects < (m_pages - k_free_pages) * k_least_objects_a_page) {
    return fmt::format("the listing has {} objects in {} pages, and goes on", m_objects, m_pages);
  }
  if (m_objects > k_most_objects) return fmt::format("the listing has more than {} objects", k_most_objects);
  return std::nullopt;
}

}  // namespace cairn::s3
