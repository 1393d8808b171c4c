#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/identity_source.hpp"
#include "cli/key_files.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/setup_config.hpp"
#include "codec/age/keys.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/shell_word.hpp"

#include <algorithm>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>

namespace cairn {

namespace {

class SetupCommand : public Command {
 public:
  std::string name() const override { return "setup"; }
  std::string summary() const override { return "write a configuration, keys and a timer, from five answers"; }
  void declare(OptionSet& options) override {
    options.values("--source", "PATH", m_sources,
                   "what is captured: a database or a directory; may be given several times");
    options.value("--store", "STORE", m_store, "where to: a directory or s3://bucket/prefix");
    options.values("--push-to", "STORE", m_push_to, "another store that gets all of it, too");
    options.flag("--encrypt", m_encrypt, "make a key, and encrypt to it; snapshots are signed, too");
    options.values("--recipient", "AGE", m_recipients,
                   "encrypt to this age recipient, whose key is elsewhere; also signs");
    options.flag("--no-encryption", m_no_encryption, "store everything in the clear");
    options.value("--every", "hourly|daily|weekly", m_every, "how often; hourly by default");
    options.value("--timer", "systemd|cron|none", m_timer,
                  "what runs it; by default systemd where the package's units are");
  }
  std::vector<std::string>* trailing_command() override { return &m_command; }
  ExitStatus run(Session& session) override;

 private:
  void ask(Session& session);
  SetupAnswers answers() const;
  std::string timer() const;

  std::vector<std::string> m_sources;
  std::optional<std::string> m_store;
  std::vector<std::string> m_push_to;
  bool m_encrypt = false;
  std::vector<std::string> m_recipients;
  bool m_no_encryption = false;
  std::optional<std::string> m_every;
  std::optional<std::string> m_timer;
  std::vector<std::string> m_command;
};

constexpr const char* k_units = "/etc/systemd/system";

// The answer to a question; otherwise where the line is empty. Only where a person sits at the terminal.
std::string answer(Session& session, const std::string& question, const std::string& otherwise) {
  session.io().err << question << (otherwise.empty() ? "" : " [" + otherwise + "]") << ": " << std::flush;
  wait_for_line(STDIN_FILENO);
  std::string line;
  if (!std::getline(session.io().in, line)) throw Error(ErrorKind::usage, "the answers ended too early");
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string::npos) return otherwise;
  return line.substr(begin, line.find_last_not_of(" \t") - begin + 1);
}

// The same until there is one that check() takes.
template <class Check>
auto answer_that(Session& session, const std::string& question, const std::string& otherwise, Check check) {
  while (true) {
    const std::string said = answer(session, question, otherwise);
    try {
      return check(said);
    } catch (const Error& e) {
      session.print_error(e);
    }
  }
}

bool is_unit_shipped() {
  std::error_code ignored;
  for (const char* directory : {"/lib/systemd/system", "/usr/lib/systemd/system", k_units}) {
    if (fs::exists(fs::path{directory} / "cairn-run.timer", ignored)) return true;
  }
  return false;
}

// Where a configuration is looked for first that this user may write.
fs::path config_place(Session& session) {
  if (const auto& given = session.config_option()) return *given;
  if (::geteuid() == 0) return "/etc/cairn/cairn.toml";
  const EnvironmentLookup& environment = session.io().environment;
  if (const auto home = nonempty(environment, "XDG_CONFIG_HOME"); home && home->starts_with('/')) {
    return fs::path{*home} / "cairn/cairn.toml";
  }
  if (const auto home = nonempty(environment, "HOME")) return fs::path{*home} / ".config/cairn/cairn.toml";
  throw Error(ErrorKind::usage, "there is no HOME to write a configuration into", "--config FILE says where");
}

// Its first answers are asked for where a person is there to give them.
void SetupCommand::ask(Session& session) {
  const bool needs_sources = m_sources.empty() && m_command.empty();
  const bool needs_choice = !m_encrypt && m_recipients.empty() && !m_no_encryption;
  if (!session.io().in_is_terminal) {
    if (needs_sources) throw Error(ErrorKind::usage, "what is to be captured? --source PATH, or -- COMMAND ARG...");
    if (!m_store) throw Error(ErrorKind::usage, "where to? --store STORE");
    if (needs_choice) {
      throw Error(ErrorKind::usage, "encrypted or not? --encrypt, --recipient AGE or --no-encryption",
                  "--encrypt makes a key; whoever has the store and not the key reads nothing");
    }
    return;
  }
  if (needs_sources) {
    m_sources.push_back(
        answer_that(session, "1/5 What is captured? A database, file or directory", "", [](const std::string& said) {
          source_of_path(said, {});
          return said;
        }));
  }
  if (!m_store) {
    m_store = answer_that(session, "2/5 Into which store? A directory, or s3://bucket/prefix?endpoint=URL",
                          ::geteuid() == 0 ? "/var/lib/cairn" : "", [](const std::string& said) {
                            store_of(said, {});
                            return said;
                          });
    const auto second =
        answer_that(session, "3/5 And a second store, elsewhere? Empty: none", "", [](const std::string& said) {
          if (!said.empty()) store_of(said, {});
          return said;
        });
    if (!second.empty() && m_push_to.empty()) m_push_to.push_back(second);
  }
  if (needs_choice) {
    m_encrypt =
        answer_that(session, "4/5 Encrypted, to a key that is made now? yes or no", "", [](const std::string& said) {
          if (said != "yes" && said != "no") throw Error(ErrorKind::usage, "yes or no");
          return said == "yes";
        });
    m_no_encryption = !m_encrypt;
  }
  if (!m_every) {
    m_every = answer_that(session, "5/5 How often? hourly, daily or weekly", "hourly", [](const std::string& said) {
      rhythm_of(said);
      return said;
    });
  }
}

SetupAnswers SetupCommand::answers() const {
  SetupAnswers out;
  for (const auto& path : m_sources) out.sources.push_back(source_of_path(path, out.sources));
  if (!m_command.empty()) out.sources.push_back(source_of_command(m_command, out.sources));
  out.stores.push_back(store_of(*m_store, {}));
  for (const auto& store : m_push_to) out.stores.push_back(store_of(store, out.stores));
  for (const auto& text : m_recipients) out.recipients.push_back(age::Recipient::parse(text).text());
  out.rhythm = rhythm_of(m_every.value_or("hourly"));
  if (int{m_encrypt} + int{m_no_encryption} + int{!m_recipients.empty()} > 1) {
    throw Error(ErrorKind::usage, "--encrypt, --recipient and --no-encryption exclude each other");
  }
  return out;
}

std::string SetupCommand::timer() const {
  if (!m_timer) return ::geteuid() == 0 && is_unit_shipped() ? "systemd" : "cron";
  if (*m_timer != "systemd" && *m_timer != "cron" && *m_timer != "none") {
    throw Error(ErrorKind::usage, fmt::format("invalid value {} of --timer", quote_given(*m_timer)),
                "it is systemd, cron or none");
  }
  if (*m_timer == "systemd" && ::geteuid() != 0) {
    throw Error(ErrorKind::usage, "only root sets up the timer of the system", "--timer cron");
  }
  return *m_timer;
}

// Files that come into being together: none where one of them cannot be made.
class NewFiles {
 public:
  NewFiles() = default;
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;
  ~NewFiles() {
    if (m_kept) return;
    for (auto file = m_made.rbegin(); file != m_made.rend(); ++file) ::unlink(file->c_str());
  }
  void made(fs::path file) { m_made.push_back(std::move(file)); }
  const std::vector<fs::path>& keep() {
    m_kept = true;
    return m_made;
  }

 private:
  std::vector<fs::path> m_made;
  bool m_kept = false;
};

void refuse_existing(const std::vector<fs::path>& files) {
  for (const auto& file : files) {
    struct stat status {};
    if (::lstat(file.c_str(), &status) == 0) {
      throw Error(ErrorKind::usage, fmt::format("{} is there already", quote(file.native())),
                  "setup never overwrites: edit it, move it aside, or name another place with --config");
    }
  }
}

// The commands that are left to do, in their order.
std::vector<std::string> next_steps(const SetupAnswers& answers, const fs::path& config, const std::string& timer,
                                    bool default_place) {
  const std::string cairn = default_place ? "cairn" : "cairn --config " + shell_word(config.native());
  std::vector<std::string> out;
  const std::string clear = answers.recipients.empty() ? " --no-encryption" : "";
  for (const auto& store : answers.stores) out.push_back(fmt::format("{} init --store {}{}", cairn, store.name, clear));
  out.push_back(cairn + " run");
  if (timer == "systemd") out.emplace_back("systemctl enable --now cairn-run.timer");
  if (timer == "cron") {
    const bool is_root = ::geteuid() == 0;
    out.push_back(fmt::format(
        "{}{}", is_root ? "# in /etc/cron.d/cairn: " : "# crontab -e: ", cron_line(answers, config, is_root)));
  }
  out.push_back(cairn + " doctor");
  out.push_back(cairn + " runbook > runbook.txt        # print it");
  return out;
}

ExitStatus SetupCommand::run(Session& session) {
  const std::string timer_kind = timer();
  const fs::path config = fs::absolute(config_place(session));
  refuse_existing({config});
  ask(session);
  SetupAnswers made = answers();
  const fs::path directory = config.parent_path();
  const fs::path identity = directory / "identity.txt";
  const fs::path signing_key = directory / "sign.pem";
  const bool sealed = m_encrypt || !made.recipients.empty();
  const fs::path timer_file = fs::path{k_units} / "cairn-run.timer.d/setup.conf";
  const fs::path service_file = fs::path{k_units} / "cairn-run.service.d/setup.conf";
  std::vector<fs::path> all;
  if (m_encrypt) all.push_back(identity);
  if (sealed) all.insert(all.end(), {signing_key, signing_key.native() + ".pub"});
  if (timer_kind == "systemd") all.insert(all.end(), {timer_file, service_file});
  refuse_existing(all);

  session.protect_memory();
  NewFiles files;
  // Its keys are nobody else's matter.
  fs::create_directories(directory.parent_path());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("create", directory.native(), errno);
  if (m_encrypt) {
    made.recipients.push_back(write_new_identity(identity, nullptr).recipient().text());
    files.made(identity);
    made.identity = identity;
  }
  if (sealed) {
    made.public_key = write_new_signing_key(signing_key).public_key().text();
    files.made(signing_key);
    files.made(signing_key.native() + ".pub");
    made.signing_key = signing_key;
  }
  const std::string text = config_text(made);
  static_cast<void>(parse_config(text, config.native()));
  write_new_file(config, as_bytes(text), 0600);
  files.made(config);
  if (timer_kind == "systemd") {
    for (const auto& [file, content] :
         {std::pair{timer_file, timer_drop_in(made)}, {service_file, service_drop_in(made)}}) {
      if (content.empty()) continue;
      fs::create_directories(file.parent_path());
      write_new_file(file, as_bytes(content), 0644);
      files.made(file);
    }
  }
  const auto& written = files.keep();
  for (const auto& file : written) session.note_change(fmt::format("{} is written", quote(file.native())));
  const auto steps = next_steps(made, config, timer_kind, !session.config_option());
  if (session.json()) {
    JsonWriter to = begin_document(name());
    to.key("files").begin_array();
    for (const auto& file : written) to.value(file.native());
    to.end_array().key("next").begin_array();
    for (const auto& step : steps) to.value(step);
    to.end_array();
    session.print(std::move(to));
    return ExitStatus::done;
  }
  for (const auto& file : written) session.say("wrote " + terminal_safe(file.native()));
  session.say("next:");
  for (const auto& step : steps) session.say("  " + terminal_safe(step));
  if (m_encrypt) {
    session.reporter().note(fmt::format("nothing can be restored without {}: keep a copy where it outlives this host",
                                        quote(identity.native())));
  }
  return ExitStatus::done;
}

}  // namespace

std::unique_ptr<Command> make_setup_command() {
  return std::make_unique<SetupCommand>();
}

}  // namespace cairn
