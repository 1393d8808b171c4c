#include "bucket.hpp"

#include <algorithm>
#include <utility>

namespace cairn::sim {

namespace {

ObjectInfo info_of(const std::string& key, const Bucket::Object& object) {
  return {key, object.bytes->size(), object.modified};
}

}  // namespace

Time Bucket::clock(Time now) const {
  for (const auto& wrong : m_nature.wrong_clocks) {
    if (now < wrong.begin || now >= wrong.end) continue;
    now = wrong.instead ? *wrong.instead + (now - wrong.begin) : now + wrong.ahead;
    break;
  }
  return std::chrono::floor<std::chrono::seconds>(now);  // as S3 has it
}

const Bucket::Object* Bucket::find(const std::string& key) const {
  const auto found = m_objects.find(key);
  return found == m_objects.end() ? nullptr : &found->second;
}

PutOutcome Bucket::put(const std::string& key, Content bytes, PutMode mode, Time now) {
  const auto found = m_objects.find(key);
  if (found != m_objects.end() && mode == PutMode::create_only) return PutOutcome::exists;
  const Time born = found != m_objects.end() ? found->second.born : now;
  m_objects.insert_or_assign(key, Object{std::move(bytes), clock(now), born});
  return PutOutcome::stored;
}

void Bucket::remove(const std::string& key, Time now) {
  const auto found = m_objects.find(key);
  if (found == m_objects.end()) return;
  if (m_nature.list_lag != Nanoseconds::zero()) m_ghosts.insert_or_assign(key, Ghost{found->second, now});
  m_objects.erase(found);
}

std::optional<Bucket::LatePut> Bucket::take_late(Time now) {
  const auto first =
      std::min_element(m_late.begin(), m_late.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  if (first == m_late.end() || first->at > now) return std::nullopt;
  LatePut late = std::move(*first);
  m_late.erase(first);
  return late;
}

std::optional<Time> Bucket::last_late() const {
  std::optional<Time> last;
  for (const auto& late : m_late) last = std::max(last.value_or(late.at), late.at);
  return last;
}

Bucket::Page Bucket::page(const std::string& prefix, const std::string& after, Time now) const {
  const Time seen = now - m_nature.list_lag;
  const std::string from = std::max(prefix, after);
  std::map<std::string, const Object*> found;
  // One more than fit, of each kind, are enough to know which come first and whether there are others.
  for (auto at = m_objects.lower_bound(from); at != m_objects.end() && at->first.starts_with(prefix); ++at) {
    if (at->first == after || at->second.born > seen) continue;
    found.emplace(at->first, &at->second);
    if (found.size() > m_nature.page_size) break;
  }
  for (auto at = m_ghosts.lower_bound(from); at != m_ghosts.end() && at->first.starts_with(prefix); ++at) {
    if (at->first == after || at->second.object.born > seen || at->second.removed <= seen) continue;
    found.emplace(at->first, &at->second.object);
  }
  Page page;
  for (const auto& [key, object] : found) {
    if (page.objects.size() == m_nature.page_size) {
      page.more = true;
      break;
    }
    page.objects.push_back(info_of(key, *object));
  }
  return page;
}

bool Bucket::take_cut(Random& random, const std::string& prefix, unsigned per_mille) {
  if (m_nature.cut_listings == 0 || !prefix.starts_with(m_nature.cut_prefix) || !random.chance(per_mille)) return false;
  --m_nature.cut_listings;
  return true;
}

}  // namespace cairn::sim
