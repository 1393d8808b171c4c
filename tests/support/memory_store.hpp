// An object store in memory whose clock, listings and failures a test controls.
#pragma once

#include "store/object_store.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn::test {

class MemoryStore : public ObjectStore {
 public:
  struct Object {
    Bytes bytes;
    Time modified;
  };

  std::string describe() const override { return "memory"; }
  Capabilities capabilities() override { return {.create_only = m_create_only}; }

  PutOutcome put(const std::string& key, const ObjectBody& body, PutMode mode = PutMode::replace) override {
    call("put", key);
    Bytes bytes = body.file ? read_file(*body.file) : Bytes(body.memory.begin(), body.memory.end());
    if (body.sha256 && *body.sha256 != sha256(bytes)) {
      throw StoreError(ErrorKind::damaged, StoreError::Transient::no, "unable to put '" + key + "': checksum");
    }
    {
      const std::scoped_lock lock{m_mutex};
      if (mode == PutMode::create_only && m_objects.contains(key)) return PutOutcome::exists;
      m_objects[key] = {std::move(bytes), m_now};
    }
    call("after put", key);
    return PutOutcome::stored;
  }

  std::optional<Bytes> get(const std::string& key, std::optional<ByteRange> range = std::nullopt) override {
    call("get", key);
    auto answer = read(key, range);
    if (answer && on_answer) on_answer(key, *answer);
    return answer;
  }

  std::optional<Bytes> read(const std::string& key, std::optional<ByteRange> range) const {
    const std::scoped_lock lock{m_mutex};
    const auto found = m_objects.find(key);
    if (found == m_objects.end() || m_lost.contains(key)) return std::nullopt;
    if (!range) return found->second.bytes;
    const ByteView all{found->second.bytes};
    const std::uint64_t begin = std::min<std::uint64_t>(range->offset, all.size());
    const ByteView part = all.subspan(begin, std::min<std::uint64_t>(range->length, all.size() - begin));
    return Bytes(part.begin(), part.end());
  }

  std::optional<ObjectInfo> head(const std::string& key) override {
    call("head", key);
    const std::scoped_lock lock{m_mutex};
    const auto found = m_objects.find(key);
    if (found == m_objects.end() || m_lost.contains(key)) return std::nullopt;
    return ObjectInfo{key, found->second.bytes.size(), found->second.modified};
  }

  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override {
    call("list", prefix);
    std::vector<ObjectInfo> found;
    {
      const std::scoped_lock lock{m_mutex};
      const auto& objects = m_frozen ? *m_frozen : m_objects;
      for (auto at = objects.lower_bound(prefix); at != objects.end() && at->first.starts_with(prefix); ++at) {
        if (m_unlisted.contains(at->first)) continue;
        found.push_back({at->first, at->second.bytes.size(), at->second.modified});
      }
    }
    for (const auto& info : found) visit(info);
  }

  std::vector<RemoveFailure> remove(std::span<const std::string> keys) override {
    for (const auto& key : keys) {
      call("remove", key);
      const std::scoped_lock lock{m_mutex};
      m_objects.erase(key);
    }
    return {};
  }

  Time now() override {
    const std::scoped_lock lock{m_mutex};
    return m_now;
  }

  // The controls of a test.
  void set_now(Time time) {
    const std::scoped_lock lock{m_mutex};
    m_now = time;
  }
  void advance(std::chrono::nanoseconds by) {
    const std::scoped_lock lock{m_mutex};
    m_now += by;
  }
  void set_create_only(bool available) override { m_create_only = available; }
  // Leaves the key out of listings (a listing that lags behind).
  void hide(const std::string& key) { m_unlisted.insert(key); }
  // Leaves it in listings alone (a server whose index knows more than its disks).
  void lose(const std::string& key) { m_lost.insert(key); }
  // Shows in listings what is there now, until show_all() (a listing that lags behind).
  void freeze_listings() {
    const std::scoped_lock lock{m_mutex};
    m_frozen = m_objects;
  }
  void show_all() {
    const std::scoped_lock lock{m_mutex};
    m_unlisted.clear();
    m_frozen.reset();
  }
  // Called before every operation ("put", "get", "head", "list", "remove") and after a put took effect ("after put");
  // may throw, or change the store.
  std::function<void(const std::string& operation, const std::string& key)> on_call;
  // May change what a get answers. Called by several threads at once.
  std::function<void(const std::string& key, Bytes& answer)> on_answer;

  std::vector<std::string> keys(const std::string& prefix = {}) const {
    const std::scoped_lock lock{m_mutex};
    std::vector<std::string> out;
    for (const auto& [key, object] : m_objects) {
      if (key.starts_with(prefix)) out.push_back(key);
    }
    return out;
  }
  bool has(const std::string& key) const {
    const std::scoped_lock lock{m_mutex};
    return m_objects.contains(key);
  }
  std::map<std::string, Object> objects() const {
    const std::scoped_lock lock{m_mutex};
    return m_objects;
  }
  // Changes an object behind everybody's back.
  void erase(const std::string& key) {
    const std::scoped_lock lock{m_mutex};
    m_objects.erase(key);
  }
  void overwrite(const std::string& key, std::string_view text) {
    const std::scoped_lock lock{m_mutex};
    const ByteView bytes = as_bytes(text);
    m_objects[key].bytes.assign(bytes.begin(), bytes.end());
  }

 private:
  void call(const char* operation, const std::string& key) {
    if (on_call) on_call(operation, key);
  }

  mutable std::mutex m_mutex;
  std::map<std::string, Object> m_objects;
  std::set<std::string> m_unlisted;
  std::set<std::string> m_lost;
  std::optional<std::map<std::string, Object>> m_frozen;
  Time m_now{std::chrono::days{20'000}};
  bool m_create_only = true;
};

}  // namespace cairn::test
