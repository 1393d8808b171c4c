#include "cli/session.hpp"

#include "cli/output.hpp"
#include "engine/snapshot/chunk_store.hpp"
#include "util/error.hpp"
#include "util/process_info.hpp"
#include "util/secret.hpp"
#include "util/secret_text.hpp"

#include <sstream>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

// Requests under way at once: enough to hide a store's latency, few enough for its limits.
constexpr unsigned k_waiting_threads = 16;
constexpr std::size_t k_public_key_length = 56;
constexpr std::uint64_t k_largest_key_file = 1U << 16;

}  // namespace

void KeyOptions::declare(OptionSet& options, Which which) {
  options.values("--identity", "FILE", identities, "an age identity file that opens what is encrypted");
  if (which == Which::identities) return;
  options.values("--trusted-key", "KEY", trusted_keys,
                 "trust snapshots that this minisign key (RW..., or a file) signed, and no unsigned ones");
}

// The key itself, or a file that holds it.
std::string read_public_key(const std::string& key_or_file) {
  if (key_or_file.starts_with("RW") && key_or_file.size() == k_public_key_length) {
    return minisign::PublicKey::parse(key_or_file).text();
  }
  // Somebody's mistake must not end up in a log.
  if (key_or_file.find("SECRET") != std::string::npos || key_or_file.find("PRIVATE") != std::string::npos ||
      key_or_file.find('\n') != std::string::npos) {
    throw Error(ErrorKind::usage, "a secret key was given where a minisign public key (RW...) is wanted");
  }
  refuse_secret(key_or_file, "what is given as a public key", "a minisign public key (RW...) or a file that holds one");
  const auto text = read_file_if_exists(key_or_file, k_largest_key_file);
  if (!text) {
    throw Error(ErrorKind::usage, "what was given is neither a minisign public key (RW...) nor a file that holds one");
  }
  return minisign::PublicKey::parse(as_text(*text)).text();
}

void declare_store(OptionSet& options, std::optional<std::string>& store) {
  options.value("--store", "STORE", store, "a name from the configuration, a directory or s3://bucket/prefix");
}

Error no_such_series(OpenStore& store, const std::string& series) {
  return {ErrorKind::not_found, fmt::format("no series {} in store {}", quote(series), quote(store.store->describe())),
          "cairn list shows what is in the store"};
}

std::uint64_t milliseconds(std::chrono::nanoseconds duration) noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

Session::Session(Io& io, const GlobalOptions& global, ConsoleReporter& reporter, CommandInfo program, Patience patience)
    : m_io(io), m_global(global), m_reporter(reporter), m_program(std::move(program)), m_patience(patience) {}

void Session::print(JsonWriter document) {
  m_reporter.clear_progress();
  document.end_object();
  m_io.out << document.text() << '\n';
}

void Session::print_error(const Error& error) {
  m_reporter.error(error);
}

void Session::check_output() {
  if (!m_io.out) throw OutputLost{};
}

void Session::say(const std::string& line) {
  m_reporter.said(line);
  if (quiet() || json()) return;
  m_reporter.clear_progress();
  m_io.out << (m_io.out_is_journal ? m_reporter.line_for_journal(terminal_safe(line)) : terminal_safe(line)) << '\n';
}

void Session::say_lines(const std::string& text) {
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) {
      say(line);
    } else if (!quiet() && !json() && !m_io.out_is_journal) {
      m_io.out << '\n';
    }
  }
}

const Config& Session::config() {
  if (!m_config) m_config = load_config(m_global.config, m_io.environment);
  return *m_config;
}

std::string Session::store_name(const std::optional<std::string>& option, const std::optional<std::string>& otherwise) {
  if (option) return *option;
  if (otherwise) return *otherwise;
  if (const auto store = nonempty(m_io.environment, "CAIRN_STORE")) return *store;
  if (config().default_store) return *config().default_store;
  throw Error(ErrorKind::usage, "no store given",
              "give --store, set CAIRN_STORE, or name a default_store in the configuration");
}

StoreAddress Session::address(const std::string& store) {
  StoreAddress address = config().store(store).address;
  address.patience = m_patience;
  address.downloads = m_downloads;
  return address;
}

fs::path Session::cache() {
  return cache_directory(config().cache_dir, m_io.environment, geteuid() == 0);
}

LocalState Session::state() {
  return LocalState{state_directory(config().state_dir, m_io.environment, geteuid() == 0)};
}

OpenStore Session::open(const std::string& store, StoreUse access, const KeyOptions* keys, const StoreMeans& means) {
  const StoreConfig configured = config().store(store);
  StoreSettings settings;
  settings.cache = means.cache ? *means.cache : cache();
  settings.decorate = means.decorate;
  settings.state = state().directory();
  settings.store_id = configured.store_id;
  settings.recipients = configured.recipients;
  settings.trust = {configured.trusted_keys, configured.revoked_keys};
  IdentitySettings identities;
  identities.configured = config().identity;
  if (keys != nullptr) {
    identities.options = keys->identities;
    for (const auto& key : keys->trusted_keys) settings.trust.trusted.push_back({read_public_key(key), "*"});
  }
  settings.identities = [this, identities] {
    protect_memory();
    return load_identities(identities, m_io.environment, m_reporter, [this](const std::string& prompt) {
      m_reporter.clear_progress();
      return ask_on_terminal(prompt);
    });
  };
  settings.io = &waiters();
  if (access == StoreUse::write || means.sign) settings.signing_key = [this] { return signing_key(); };
  try {
    return open_existing_store(address(store), settings, access, m_io.environment, m_reporter);
  } catch (const Error& e) {
    // A user who wants to write to a store that is not there has yet to make it.
    if (access != StoreUse::write || e.kind() != ErrorKind::not_found || !e.hint().empty()) throw;
    throw Error(e.kind(), e.message(), k_init_hint);
  }
}

void Session::protect_memory() const {
  if (m_io.protect_memory) m_io.protect_memory();
}

std::shared_ptr<const minisign::SecretKey> Session::signing_key() {
  std::optional<fs::path> file = config().signing_key;
  std::string_view given_by = "'signing_key' in the configuration";
  if (const auto named = nonempty(m_io.environment, "CAIRN_SIGNING_KEY")) {
    file = *named;
    given_by = "CAIRN_SIGNING_KEY";
  }
  if (!file) return nullptr;
  refuse_secret(file->native(), given_by);
  protect_memory();
  auto text = read_file(*file, k_largest_key_file);
  try {
    auto key = std::make_shared<const minisign::SecretKey>(minisign::SecretKey::parse_pem(as_text(text)));
    wipe(text);
    return key;
  } catch (const Error& e) {
    wipe(text);
    throw Error(e.kind(), fmt::format("unable to use {} as a signing key: {}", quote(file->native()), e.message()),
                e.hint());
  }
}

ChosenSnapshot Session::find(OpenStore& store, const SnapshotChoice& choice) {
  return find_snapshot(*store.repository, choice, m_io.clock(), m_reporter);
}

const fs::path& Session::spool() {
  if (!m_spool) {
    const auto& configured = config().spool.dir;
    m_spool.emplace(configured ? *configured : temporary_directory());
  }
  return m_spool->path();
}

SpoolLimit Session::spool_limit() {
  return {config().spool.size.value_or(free_space(spool()) / 2), config().spool.full};
}

ThreadPool& Session::waiters() {
  if (!m_waiters) m_waiters = std::make_unique<ThreadPool>(k_waiting_threads);
  return *m_waiters;
}

Context Session::context(OpenStore& store) {
  if (!m_pool) m_pool = std::make_unique<ThreadPool>(ThreadPool::processors());
  if (!m_putters) m_putters = std::make_unique<ThreadPool>(ChunkStore::k_puts_at_once);
  return {.repository = *store.repository,
          .cpu = *m_pool,
          .io = waiters(),
          .put = *m_putters,
          .reporter = m_reporter,
          .host = host_name(),
          .clock = m_io.clock};
}

}  // namespace cairn
