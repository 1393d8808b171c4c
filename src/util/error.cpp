#include "util/error.hpp"

#include "util/secret_text.hpp"
#include "util/utf8.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <system_error>

namespace cairn {

Error::Error(ErrorKind kind, std::string message, std::string hint)
    : m_kind(kind), m_message(std::move(message)), m_hint(std::move(hint)) {
  // No text holds a secret key, whatever it was put together from.
  m_message = without_secret_keys(m_message);
  m_hint = without_secret_keys(m_hint);
}

StoreError::StoreError(ErrorKind kind, Transient transient, std::string message, std::string hint)
    : Error(kind, std::move(message), std::move(hint)), m_transient(transient) {}

std::string errno_text(int error_number) {
  return std::generic_category().message(error_number);
}

void throw_errno(std::string_view verb, std::string_view path, int error_number) {
  std::string hint;
  if (error_number == ENOSPC || error_number == EDQUOT) hint = "free space on the file system that holds this path";
  throw SystemError(fmt::format("unable to {} {}: {}", verb, quote(path), errno_text(error_number)), hint,
                    error_number);
}

std::string terminal_safe(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t n = utf8_sequence_length(text);
    if (n == 0 || is_unprintable(utf8_code_point(text.substr(0, n)))) {
      const std::size_t bytes = n == 0 ? 1 : n;
      for (std::size_t i = 0; i < bytes; ++i) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
      text.remove_prefix(bytes);
    } else {
      out.append(text.substr(0, n));
      text.remove_prefix(n);
    }
  }
  return out;
}

std::string quote(std::string_view path) {
  return "'" + terminal_safe(without_secret_keys(path)) + "'";
}

}  // namespace cairn
