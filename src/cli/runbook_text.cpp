#include "cli/runbook_text.hpp"

#include "cli/output.hpp"
#include "util/shell_word.hpp"
#include "util/units.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

// Blocks, one after the other.
class Writer {
 public:
  explicit Writer(std::string title) { m_document.title = std::move(title); }
  void heading(int level, std::string text) { m_document.blocks.emplace_back(Heading{level, std::move(text)}); }
  void paragraph(Prose prose) { m_document.blocks.emplace_back(Paragraph{std::move(prose)}); }
  void points(std::vector<Prose> items) { m_document.blocks.emplace_back(Points{std::move(items)}); }
  void commands(std::vector<std::string> lines) { m_document.blocks.emplace_back(CommandLines{std::move(lines)}); }
  void table(DocumentTable table) { m_document.blocks.emplace_back(std::move(table)); }
  Document take() { return std::move(m_document); }

 private:
  Document m_document;
};

std::string ago(Time then, Time now) {
  return fmt::format("{} ago", format_duration(std::max(elapsed(then, now), Nanoseconds{0})));
}

void write_overview(Writer& to, const RunbookFacts& facts) {
  to.paragraph({words(fmt::format("Made {} by cairn {} on {}. Print it, and keep it with the credentials and keys that "
                                  "it names: it holds neither. ",
                                  format_time_short(facts.made), facts.version, facts.host)),
                words("Do the steps in their order. None of them changes the store, so none makes things worse. Do not "
                      "delete or repair anything at the old place: move it aside. Stop the timers that prune, on every "
                      "host.")});
  if (facts.series.empty()) {
    to.paragraph({words("The store has no snapshots: there is nothing to restore from it yet.")});
    return;
  }
  DocumentTable table{{"SERIES", "FROM", "NEWEST", "AGE", "SIZE", "PROVEN", "TAKES"}, {}};
  for (const auto& series : facts.series) {
    table.rows.push_back(
        {series.series, series.host, series.newest ? format_time_short(series.newest->cut_point) : "none",
         series.newest ? format_duration(std::max(elapsed(series.newest->cut_point, facts.made), Nanoseconds{0})) : "",
         series.bytes ? format_size(*series.bytes) : "", series.proven ? ago(series.drilled, facts.made) : "never",
         series.proven ? format_duration(series.recovery) : "unknown"});
  }
  to.table(std::move(table));
}

void write_access(Writer& to, const RunbookFacts& facts) {
  to.heading(1, "1. Get hold of the store");
  std::vector<Prose> needed{{words("a machine with the program "), literal("cairn"),
                             words("; nothing of the lost machine is needed, no configuration and no cache")}};
  if (facts.bucket) {
    needed.push_back({words("credentials that may read the bucket "), literal(facts.bucket_name), words(" at "),
                      facts.endpoint.empty() ? words("AWS") : literal(facts.endpoint),
                      words(" (GetObject and ListBucket)")});
  } else {
    needed.push_back({words("the disk that holds the directory "), literal(facts.store.address)});
  }
  if (!facts.recipients.empty()) {
    needed.push_back({words("the age identity (a file with a line "), literal("AGE-SECRET-KEY-1..."),
                      words(") of one of the recipients below; without it nobody opens the store")});
  }
  if (!facts.trusted_keys.empty()) {
    needed.push_back({words("the public keys below, from this page: what others signed, or nobody, is refused then")});
  }
  to.points(std::move(needed));
  if (!facts.recipients.empty()) {
    DocumentTable table{{"RECIPIENT"}, {}};
    for (const auto& recipient : facts.recipients) table.rows.push_back({recipient});
    to.table(std::move(table));
    if (!facts.identity.empty()) {
      to.paragraph({words(fmt::format("On {} the configuration names the file ", facts.host)), literal(facts.identity),
                    words("; if that went with the machine, take the copy that is kept elsewhere.")});
    }
  }
  if (!facts.trusted_keys.empty()) {
    DocumentTable table{{"TRUSTED KEY", "FOR SERIES"}, {}};
    for (const auto& key : facts.trusted_keys) table.rows.push_back({key.key, key.series});
    to.table(std::move(table));
  }
  std::vector<std::string> lines{"export CAIRN_CONFIG=/dev/null"};
  if (facts.bucket) lines.emplace_back("export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...");
  lines.push_back("export CAIRN_STORE=" + shell_word(facts.store.address));
  if (!facts.recipients.empty()) lines.emplace_back("export CAIRN_IDENTITY=/path/to/identity");
  lines.emplace_back("cairn list");
  to.commands(std::move(lines));
  to.paragraph({words("The empty configuration keeps a file of this machine from meaning another store.")});
}

// Options by which a command believes the keys that this page names.
std::string trust_options(const RunbookSeries& series) {
  std::string out;
  for (const auto& key : series.trusted_keys) out += " --trusted-key " + shell_word(key);
  return out;
}

void write_switch(Writer& to, const RunbookSeries& series, const std::string& place) {
  std::vector<std::string> lines{"systemctl stop SERVICE"};
  const auto aside = [&](const std::string& path) {
    lines.push_back(fmt::format("mv {} {}", shell_word(path), shell_word(path + ".broken")));
  };
  if (series.kind == "sqlite") {
    to.paragraph(
        {words("Stop what uses it, move the old database aside with its log, and put the new one there. Never "
               "leave an old log beside it: that destroys it.")});
    aside(place);
    for (const char* log : {"-wal", "-shm", "-journal"}) {
      const std::string path = place + log;
      lines.push_back(fmt::format("[ ! -e {0} ] || mv {0} {1}", shell_word(path),
                                  shell_word(fmt::format("{}.broken{}", place, log))));
    }
  } else {
    to.paragraph({words("Stop what uses it, move the old one aside, and put the new one there.")});
    aside(place);
  }
  lines.push_back(fmt::format("mv {} {}", shell_word(place + ".restored"), shell_word(place)));
  lines.emplace_back("systemctl start SERVICE");
  to.commands(std::move(lines));
}

void write_series(Writer& to, const RunbookFacts& facts, const RunbookSeries& series) {
  to.heading(2, series.series);
  if (!series.remark.empty()) to.paragraph({words("To know: " + series.remark + ".")});
  if (!series.newest) {
    to.paragraph({words("There is no snapshot that can be relied on. What there is: "),
                  literal("cairn list --series " + series.series)});
    return;
  }
  Prose about{words("The newest state is that of "), words(format_time_short(series.newest->cut_point)),
              words(fmt::format(", snapshot {}. ", short_id(series.newest->id)))};
  if (series.proven && series.proven->id == series.newest->id) {
    about.push_back(words(fmt::format("A drill restored it {}, in {}.", ago(series.drilled, facts.made),
                                      format_duration(series.recovery))));
  } else if (series.proven) {
    about.push_back(words(fmt::format(
        "The newest that a drill has restored is {}, of {}: that took {}. Take it where the newest does not come back, "
        "or is not to be trusted.",
        short_id(series.proven->id), format_time_short(series.proven->cut_point), format_duration(series.recovery))));
  } else {
    about.push_back(words("No drill has restored one of this series: how long it takes is not known."));
  }
  to.paragraph(std::move(about));
  const bool known = series.kind != "command" && !series.source.empty() && series.source.front() == '/';
  const std::string place = known ? series.source : "./" + series.series;
  const std::string trust = trust_options(series);
  std::vector<std::string> lines;
  lines.push_back(fmt::format("cairn show {}{}", series.series, trust));
  const std::string restore =
      fmt::format("cairn restore {} {}{}", short_id(series.newest->id), shell_word(place + ".restored"), trust);
  lines.push_back(restore + " --plan");
  lines.push_back(restore);
  to.commands(std::move(lines));
  if (series.kind == "command") {
    to.paragraph({words("It is what the command "), literal(series.source),
                  words(" wrote; it goes back through the program that reads that, as "), literal("pg_restore"),
                  words(" or "), literal("mysql"), words(".")});
  } else if (!known) {
    to.paragraph({words("Where it was is sealed, and no key was at hand when this page was made: choose the place.")});
  } else {
    write_switch(to, series, place);
  }
}

void write_damage(Writer& to, const RunbookFacts& facts) {
  to.heading(1, "3. If something is damaged or missing");
  to.paragraph({words("Exit status 4: the store has lost or changed bytes. What is whole was restored, and what is not "
                      "was named. Exit status 13: a signature or the store itself is not what it should be; find out "
                      "why before you go on. An earlier state: "),
                literal("cairn list"), words(" shows them, and "), literal("cairn restore SERIES@2026-11-19T22:00"),
                words(" takes the newest one until then.")});
  if (facts.others.empty()) {
    to.paragraph({words("The configuration of this host names no other store that has these snapshots.")});
  } else {
    to.paragraph({words("These stores have the snapshots, too. A restore reads from them what this one lost:")});
    std::vector<std::string> lines;
    for (const auto& other : facts.others) {
      lines.push_back(fmt::format("cairn restore REF TARGET --from {}", shell_word(other.address)));
    }
    to.commands(std::move(lines));
  }
}

void write_without_program(Writer& to, const RunbookFacts& facts) {
  to.heading(1, "4. Without this program");
  to.paragraph({words("The store explains itself: in "), literal("recover/"),
                words(" it has a reader in one file (Python 3 and the program zstd), the format, the manual and the "
                      "general runbook.")});
  std::vector<std::string> lines;
  std::string copy = shell_word(facts.store.address);
  if (facts.bucket) {
    const std::string url = facts.store.address.substr(0, facts.store.address.find('?'));
    lines.push_back(fmt::format("aws s3 sync {}/ store/{}", shell_word(url),
                                facts.endpoint.empty() ? "" : " --endpoint-url " + shell_word(facts.endpoint)));
    copy = "store";
  }
  lines.push_back(fmt::format(
      "cp \"$(ls {}/recover/*/cairn_reader.py-* | grep -v minisig | sort -V | tail -n 1)\" cairn_reader.py", copy));
  lines.push_back(fmt::format("python3 cairn_reader.py list {}/", copy));
  lines.push_back(fmt::format("python3 cairn_reader.py restore {}{}/ SERIES TARGET",
                              facts.recipients.empty() ? "" : "--identity /path/to/identity ", copy));
  to.commands(std::move(lines));
}

}  // namespace

Document runbook_of(const RunbookFacts& facts) {
  Writer to{fmt::format("Runbook: how to get back what the store {} has", facts.store.name)};
  write_overview(to, facts);
  write_access(to, facts);
  if (!facts.series.empty()) {
    to.heading(1, "2. Restore beside, then switch");
    to.paragraph(
        {words("Every byte is checked on its way, and nothing appears at the target before all of it is there. "
               "A restore that was interrupted is simply run again. As root, owners come back, too. SERVICE stands for "
               "the unit that uses what is restored.")});
    for (const auto& series : facts.series) write_series(to, facts, series);
  }
  write_damage(to, facts);
  write_without_program(to, facts);
  to.heading(1, "5. Afterwards");
  to.paragraph({words("Take a snapshot of the restored service at once. Start the timers again, prune last. Write down "
                      "how long each step took, and rehearse it: "),
                literal("cairn drill"), words(".")});
  return to.take();
}

}  // namespace cairn
