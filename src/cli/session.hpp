// A command's means while it runs: the streams, the global options, the configuration, open stores, workers.
#pragma once

#include "cli/command_line.hpp"
#include "cli/config.hpp"
#include "cli/console_reporter.hpp"
#include "cli/identity_source.hpp"
#include "cli/io.hpp"
#include "cli/snapshot_choice.hpp"
#include "cli/store_access.hpp"
#include "codec/minisign.hpp"
#include "engine/context.hpp"
#include "util/json.hpp"
#include "util/thread_pool.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// The options --identity and --trusted-key.
struct KeyOptions {
  std::vector<std::string> identities;
  std::vector<std::string> trusted_keys;
  enum class Which { identities, both };
  void declare(OptionSet& options, Which which = Which::both);
};

// Of a minisign public key ("RW...") or a file that holds one, the key's text. Error(usage).
std::string read_public_key(const std::string& key_or_file);

// The option --store.
void declare_store(OptionSet& options, std::optional<std::string>& store);
// Error(not_found).
Error no_such_series(OpenStore& store, const std::string& series);
std::uint64_t milliseconds(std::chrono::nanoseconds duration) noexcept;

class Session {
 public:
  Session(Io& io, const GlobalOptions& global, ConsoleReporter& reporter, CommandInfo program, Patience patience);

  Io& io() noexcept { return m_io; }
  std::ostream& out() noexcept { return m_io.out; }
  ConsoleReporter& reporter() noexcept { return m_reporter; }
  const std::string& run_id() const noexcept { return m_io.run_id; }
  bool json() const noexcept { return m_global.json; }
  bool quiet() const noexcept { return m_global.quiet; }
  bool verbose() const noexcept { return m_global.verbose; }
  // The option tree of the whole program.
  const CommandInfo& program() const noexcept { return m_program; }

  // Ends the document's object and prints it, as one line.
  void print(JsonWriter document);
  // "cairn: error: ..." for a failure that does not end the program.
  void print_error(const Error& error);
  // For loops that print much: throws OutputLost as soon as nothing arrives any more.
  void check_output();
  // A line on standard output for people; not with --quiet or --json.
  void say(const std::string& line);
  // The same of several, each with its end; those that are empty only part others.
  void say_lines(const std::string& text);
  // Notes what the command changed ("snapshot ... is committed"), which is told where standard output is lost.
  void note_change(std::string text) { m_changes.push_back(std::move(text)); }
  const std::vector<std::string>& changes() const noexcept { return m_changes; }

  // Read when it is first asked for.
  const Config& config();
  // --config, as it was given.
  const std::optional<std::string>& config_option() const noexcept { return m_global.config; }
  // The store that is meant: option (--store), else otherwise (what the configuration says for the case), else
  // CAIRN_STORE, else the configuration's default. Error(usage) where there is none.
  std::string store_name(const std::optional<std::string>& option, const std::optional<std::string>& otherwise = {});
  StoreAddress address(const std::string& store);
  // From now on all stores that are opened are read no faster, together.
  void limit_downloads(std::uint64_t bytes_per_second) {
    m_downloads = std::make_shared<RateLimiter>(bytes_per_second);
  }
  // keys: what the command line adds to the configuration; null: nothing.
  OpenStore open(const std::string& store, StoreUse access, const KeyOptions* keys = nullptr,
                 const StoreMeans& means = {});
  OpenStore open(const std::optional<std::string>& option, StoreUse access, const KeyOptions* keys = nullptr) {
    return open(store_name(option), access, keys);
  }
  // Where this user's disposable copies are; empty: nowhere.
  fs::path cache();
  // This host's state: pins, its own key, revoked keys.
  LocalState state();
  // To be called before a key is read or made.
  void protect_memory() const;
  // The configured signing key, CAIRN_SIGNING_KEY first; nothing where there is none.
  std::shared_ptr<const minisign::SecretKey> signing_key();
  // See find_snapshot().
  ChosenSnapshot find(OpenStore& store, const SnapshotChoice& choice);
  // Where this run puts what waits: below the configured spool_dir, else in TMPDIR. Made when it is first asked for.
  const fs::path& spool();
  // The configured limit, else half of the free space there.
  SpoolLimit spool_limit();
  // The store must outlive the context's use.
  Context context(OpenStore& store);

 private:
  ThreadPool& waiters();

  Io& m_io;
  const GlobalOptions& m_global;
  ConsoleReporter& m_reporter;
  CommandInfo m_program;
  Patience m_patience;
  std::shared_ptr<RateLimiter> m_downloads;
  std::optional<Config> m_config;
  std::optional<SpoolDirectory> m_spool;
  std::unique_ptr<ThreadPool> m_pool;
  std::unique_ptr<ThreadPool> m_waiters;
  std::unique_ptr<ThreadPool> m_putters;
  std::vector<std::string> m_changes;
};

}  // namespace cairn
