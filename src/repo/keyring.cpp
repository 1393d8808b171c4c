#include "repo/keyring.hpp"

#include "codec/digest.hpp"
#include "repo/padding.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <set>

namespace cairn {

namespace {
constexpr std::size_t k_set_digits = 16;
constexpr std::size_t k_seal_age_length = 4;
}  // namespace

std::string seal_of(const std::vector<age::Recipient>& recipients) {
  std::set<std::string> texts;
  for (const auto& recipient : recipients) texts.insert(recipient.text());
  std::string list;
  for (const auto& text : texts) list += text + '\n';
  return k_seal_age + sha256(list).short_hex();
}

bool is_valid_seal(std::string_view seal) noexcept {
  if (seal == k_seal_none) return true;
  return seal.starts_with(k_seal_age) && seal.size() == k_seal_age_length + k_set_digits &&
         is_hex(seal.substr(k_seal_age_length));
}

Keyring::Keyring(std::vector<age::Recipient> recipients, std::optional<age::Identity> writer, LoadIdentities load)
    : m_recipients(std::move(recipients)), m_load(std::move(load)) {
  m_with_writer = m_recipients;
  if (!m_recipients.empty()) m_seal = seal_of(m_recipients);
  if (!writer) return;
  const auto& own = writer->recipient();
  if (std::find(m_recipients.begin(), m_recipients.end(), own) == m_recipients.end()) m_with_writer.push_back(own);
  m_writer.push_back(std::move(*writer));
}

age::Encryptor Keyring::encryptor(For whom) const {
  if (!seals()) throw Error(ErrorKind::failed, "unable to seal: there are no recipients");
  return age::Encryptor{whom == For::recipients ? m_recipients : m_with_writer};
}

void Keyring::load_identities() const {
  if (!m_load) return;
  const std::scoped_lock lock{m_mutex};
  if (!m_loaded) m_identities = m_load();
  m_loaded = true;
}

bool Keyring::has_identities() const {
  load_identities();
  const std::scoped_lock lock{m_mutex};
  return !m_identities.empty();
}

std::optional<age::Decryptor> Keyring::open(std::string_view preamble) const {
  if (!m_writer.empty()) {
    if (auto found = age::Decryptor::open(preamble, m_writer)) return found;
  }
  load_identities();
  if (m_identities.empty()) return std::nullopt;
  return age::Decryptor::open(preamble, m_identities);
}

std::optional<std::string> Keyring::open_file(std::string_view file) const {
  const auto preamble = age::preamble_size(file);
  if (!preamble) throw Error(ErrorKind::damaged, "a sealed part is cut short");
  const auto key = open(file.substr(0, *preamble));
  if (!key) return std::nullopt;
  return key->all(file.substr(*preamble));
}

std::string Keyring::seal_text(std::string_view text) const {
  std::string padded{text};
  padded.resize(padme(text.size()), ' ');
  return to_base64(as_bytes(encryptor(For::recipients_and_writer).seal(padded)));
}

std::optional<std::string> Keyring::open_text(std::string_view sealed) const {
  const auto file = from_base64(std::string{sealed});
  if (!file) throw Error(ErrorKind::damaged, "a sealed text is not base64");
  auto text = open_file(as_text(*file));
  if (!text) return std::nullopt;
  text->resize(text->find_last_not_of(' ') + 1);
  return text;
}

const Keyring& no_keys() noexcept {
  static const Keyring none;
  return none;
}

}  // namespace cairn
