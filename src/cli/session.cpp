#include "cli/session.hpp"

#include "cli/output.hpp"
#include "util/error.hpp"
#include "util/process_info.hpp"

#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

// Requests under way at once: enough to hide a store's latency, few enough for its limits.
constexpr unsigned k_waiting_threads = 16;

}  // namespace

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
  m_reporter.clear_progress();
  write_error(m_io.err, error);
}

void Session::check_output() {
  if (!m_io.out) throw OutputLost{};
}

void Session::say(const std::string& line) {
  if (quiet() || json()) return;
  m_reporter.clear_progress();
  m_io.out << terminal_safe(line) << '\n';
}

const Config& Session::config() {
  if (!m_config) m_config = load_config(m_global.config, m_io.environment);
  return *m_config;
}

std::string Session::store_name(const std::optional<std::string>& option, const std::optional<std::string>& otherwise) {
  if (option) return *option;
  if (otherwise) return *otherwise;
  if (const auto store = m_io.environment("CAIRN_STORE"); store && !store->empty()) return *store;
  if (config().default_store) return *config().default_store;
  throw Error(ErrorKind::usage, "no store given",
              "give --store, set CAIRN_STORE, or name a default_store in the configuration");
}

StoreAddress Session::address(const std::string& store) {
  StoreAddress address = config().store(store).address;
  address.patience = m_patience;
  return address;
}

OpenStore Session::open(const std::string& store) {
  const auto cache = cache_directory(config().cache_dir, m_io.environment, geteuid() == 0);
  return open_existing_store(address(store), cache, m_io.environment, m_reporter);
}

ChosenSnapshot Session::find(OpenStore& store, const SnapshotChoice& choice) {
  return find_snapshot(*store.repository, choice, m_io.clock());
}

const fs::path& Session::spool() {
  if (!m_spool) m_spool.emplace(config().spool.dir.value_or(fs::temp_directory_path()));
  return m_spool->path();
}

SpoolLimit Session::spool_limit() {
  return {config().spool.size.value_or(free_space(spool()) / 2), config().spool.full};
}

Context Session::context(OpenStore& store) {
  if (!m_pool) m_pool = std::make_unique<ThreadPool>(ThreadPool::processors());
  if (!m_waiters) m_waiters = std::make_unique<ThreadPool>(k_waiting_threads);
  return {.repository = *store.repository,
          .pool = *m_pool,
          .io = *m_waiters,
          .reporter = m_reporter,
          .host = host_name(),
          .clock = m_io.clock};
}

}  // namespace cairn
