// Whether a listing that comes in pages gets on: a server that always has one more page must not hold whoever reads it
// for ever. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace cairn::s3 {

class ListingProgress {
 public:
  // S3 shows a page without objects for each thousand versions that were removed and still are there.
  static constexpr std::size_t k_most_empty_pages = 1000;
  // On the average of all pages but the first ones: a full one has a thousand.
  static constexpr std::size_t k_free_pages = 1000;
  static constexpr std::size_t k_least_objects_a_page = 10;
  static constexpr std::uint64_t k_most_objects = 100'000'000;

  // A page of so many objects that says where the next one begins. What is wrong with that; nothing where it gets on.
  std::optional<std::string> add_page(std::size_t objects, const std::string& next_token);

 private:
  std::string m_last;
  std::set<std::string> m_tokens;  // since the last page with an object
  std::size_t m_empty_pages = 0;   // without one between them
  std::uint64_t m_pages = 0;
  std::uint64_t m_objects = 0;
};

}  // namespace cairn::s3
