// A cache: the values that were used last stay, as far as there is room.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <unordered_map>
#include <utility>

namespace cairn {

// Values by key, each with the bytes that it takes, in the order of their last use. Not thread-safe. Pointers to values
// stay valid until the value is dropped.
template <class Key, class Value, class Hash = std::hash<Key>>
class Lru {
 public:
  // The value, which counts as used now; null where there is none.
  Value* find(const Key& key) {
    const auto found = m_places.find(key);
    if (found == m_places.end()) return nullptr;
    if (found->second != m_items.begin()) m_items.splice(m_items.begin(), m_items, found->second);
    return &found->second->value;
  }

  // A value that is used now, in place of the one of that key, if there is one.
  Value& put(const Key& key, Value value, std::uint64_t bytes) {
    erase(key);
    m_items.push_front({key, std::move(value), bytes});
    m_places.emplace(key, m_items.begin());
    m_bytes += bytes;
    return m_items.front().value;
  }

  // Sets the bytes that a value which is there takes from now on.
  void resize(const Key& key, std::uint64_t bytes) {
    Item& item = *m_places.at(key);
    m_bytes += bytes - item.bytes;
    item.bytes = bytes;
  }

  void erase(const Key& key) {
    const auto found = m_places.find(key);
    if (found == m_places.end()) return;
    m_bytes -= found->second->bytes;
    m_items.erase(found->second);
    m_places.erase(found);
  }

  // Drops those that were used longest ago until the rest takes no more than limit, or may_go(value) denies the next
  // one: then it and all that were used later stay.
  template <class F>
  void shrink(std::uint64_t limit, F may_go) {
    while (m_bytes > limit && !m_items.empty() && may_go(std::as_const(m_items.back().value))) {
      m_bytes -= m_items.back().bytes;
      m_places.erase(m_items.back().key);
      m_items.pop_back();
    }
  }
  // The same, but the one that was used last always stays.
  void shrink(std::uint64_t limit) {
    shrink(limit, [this](const Value&) { return m_items.size() > 1; });
  }

  template <class F>
  void for_each(F visit) const {
    for (const auto& item : m_items) visit(item.value);
  }

  std::uint64_t bytes() const noexcept { return m_bytes; }
  std::size_t size() const noexcept { return m_items.size(); }

 private:
  struct Item {
    Key key;
    Value value;
    std::uint64_t bytes;
  };
  std::list<Item> m_items;  // the one that was used last first
  std::unordered_map<Key, typename std::list<Item>::iterator, Hash> m_places;
  std::uint64_t m_bytes = 0;
};

}  // namespace cairn
