// Writers and prune on one store, interleaved at their store calls, with the clock jumping and runs dying in between:
// what was committed stays whole. Each seed is one history, the same every time.
#include "engine/commit/commit_protocol.hpp"
#include "engine/prune/pruner.hpp"
#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "util/error.hpp"

#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {

struct Killed : std::exception {};

class History {
 public:
  History(unsigned seed, std::chrono::nanoseconds grace) : m_random(seed), m_grace(grace) {
    m_store.on_call = [this](const std::string&, const std::string&) { meanwhile(); };
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      act();
      m_store.advance(std::chrono::minutes{below(600)});
      check();
    }
    // Everything comes to rest: what nothing needs goes.
    m_quiet = true;
    for (int i = 0; i < 6; ++i) {
      m_store.advance(days{8});
      write("rest");
      m_store.erase(layout::k_lease);
      prune();
    }
    for (int i = 0; i < 2; ++i) {
      m_store.advance(days{8});
      prune();
    }
    check();
    CAPTURE(m_last_stop);
    std::set<Digest> needed;
    for (const auto& info : m_fixture.repository.manifests().list()) {
      for (const auto& ref : m_fixture.repository.manifests().load(info).packs) needed.insert(ref.name);
    }
    for (const auto& key : m_store.keys(layout::k_packs)) {
      const auto info = *m_store.head(key);
      if (m_store.now() - info.modified > days{31}) CHECK(needed.contains(*layout::parse_pack_key(key)));
    }
  }

  int commits = 0;
  int refused = 0;  // writers that gave up
  int prunes = 0;
  int stopped = 0;
  int killed = 0;
  std::size_t deleted = 0;

 private:
  int below(int limit) { return std::uniform_int_distribution<int>{0, limit - 1}(m_random); }
  bool chance(int per_mille) { return below(1000) < per_mille; }

  // The events while somebody waits for the store.
  void meanwhile() {
    // Only what one thread does can be told again; jobs of a pool must not wait for their own pool either.
    if (m_quiet || std::this_thread::get_id() != m_thread) return;
    if (chance(60)) m_store.advance(std::chrono::minutes{below(20)});
    if (chance(6)) m_store.advance(std::chrono::hours{below(400)});
    if (chance(10)) {
      ++killed;
      throw Killed{};
    }
    if (m_depth < 3 && chance(15)) act();
  }

  void act() {
    ++m_depth;
    if (chance(500)) {
      write(chance(500) ? "a" : "b");
    } else {
      // Leases of the dead would only slow things down; correctness must not need them.
      m_store.erase(layout::k_lease);
      prune();
    }
    --m_depth;
  }

  void write(const std::string& series) {
    try {
      CommitProtocol protocol{m_fixture.context, series, random_name(16)};
      try {
        std::map<Digest, PackRef> packs;
        std::vector<PackRef> known = protocol.adoptable();
        const auto manifests = m_fixture.repository.manifests().list(series);
        if (!manifests.empty()) {
          const auto newest = m_fixture.repository.manifests().load(manifests.back()).packs;
          known.insert(known.end(), newest.begin(), newest.end());
        }
        for (const auto& ref : known) {
          if (protocol.usable(ref) && chance(700)) packs.emplace(ref.logical_id, ref);
        }
        for (int i = 1 + below(2); i > 0; --i) {
          const auto built = EngineFixture::build_pack({std::to_string(m_content++)});
          protocol.store_pack(built);
          packs.emplace(built.ref.logical_id, built.ref);
        }
        std::vector<PackRef> refs;
        for (const auto& [id, ref] : packs) refs.push_back(ref);
        Manifest manifest = EngineFixture::make_manifest(series, m_store.now(), refs);
        protocol.commit(manifest);
        m_committed.insert(manifest.id);
        ++commits;
      } catch (...) {
        protocol.abandon();
        throw;
      }
    } catch (const Killed&) {
    } catch (const Error&) {
      ++refused;
    }
  }

  void prune() {
    try {
      PruneRequest request;
      request.settings.grace = m_grace;
      request.settings.clock_ok = true;  // the clock of this test jumps for good
      request.policy = [](const std::string&) {
        RetentionPolicy policy;
        policy.keep_last = 2;
        return policy;
      };
      Pruner pruner{m_fixture.context, request, Apply::yes};
      deleted += pruner.execute().packs_deleted;
      ++prunes;
    } catch (const Killed&) {
    } catch (const Error& e) {
      m_last_stop = e.message();
      ++stopped;
    }
  }

  // Of each snapshot whose writer said that it is committed, and that is listed, one manifest has all its packs.
  void check() {
    const bool quiet = std::exchange(m_quiet, true);
    std::map<Digest, bool> whole;
    for (const auto& info : m_fixture.repository.manifests().list()) {
      const Manifest manifest = m_fixture.repository.manifests().load(info);
      bool good = true;
      for (const auto& ref : manifest.packs) good = good && m_store.has(layout::pack_key(ref.name));
      whole[manifest.id] |= good;
    }
    for (const auto& [id, good] : whole) {
      if (m_committed.contains(id)) CHECK(good);
    }
    m_quiet = quiet;
  }

  std::mt19937 m_random;
  std::chrono::nanoseconds m_grace;  // of the prunes
  std::thread::id m_thread = std::this_thread::get_id();
  MemoryStore m_store;
  bool m_quiet = false;
  EngineFixture m_fixture{m_store};
  int m_depth = 0;
  int m_content = 0;
  std::set<Digest> m_committed;
  std::string m_last_stop;
};

}  // namespace

TEST_CASE("interleaving: writers, prunes, jumping clocks and deaths lose nothing that was committed") {
  int commits = 0;
  int refused = 0;
  int prunes = 0;
  int stopped = 0;
  int killed = 0;
  std::size_t deleted = 0;
  std::chrono::nanoseconds grace = days{7};
  SUBCASE("a week of grace") {}
  SUBCASE("the shortest grace") {
    grace = k_shortest_shared_grace;
  }
  for (unsigned seed = 0; seed < 25; ++seed) {
    CAPTURE(seed);
    History history{seed, grace};
    history.run(60);
    commits += history.commits;
    refused += history.refused;
    prunes += history.prunes;
    stopped += history.stopped;
    killed += history.killed;
    deleted += history.deleted;
  }
  MESSAGE(commits << " commits, " << refused << " refused; " << prunes << " prunes deleted " << deleted << " packs, "
                  << stopped << " stopped; " << killed << " runs killed");
  CHECK(commits > 300);
  CHECK(deleted > 300);
}
