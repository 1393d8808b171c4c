// An address whose path is a secret: whoever knows a ping URL can report success in this host's name.
#pragma once

#include <string>
#include <string_view>

namespace cairn {

// An http or https URL. There is no operator<<: messages show shown() alone.
class SecretUrl {
 public:
  // Error(usage), which repeats nothing of the text.
  static SecretUrl parse(std::string_view text);

  const std::string& text() const noexcept { return m_text; }
  // "https://host:port", without user, password, path and options.
  const std::string& shown() const noexcept { return m_shown; }
  // With that added to its path, before any options: "start" makes URL/start.
  std::string below(std::string_view name) const;
  // A text of somebody else's with everything of this URL but shown() taken out.
  std::string without(std::string text) const;

 private:
  SecretUrl(std::string text, std::string shown) : m_text(std::move(text)), m_shown(std::move(shown)) {}
  std::string m_text;
  std::string m_shown;
};

}  // namespace cairn
