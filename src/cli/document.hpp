// A text with headings, paragraphs, commands and tables, and the forms in which it is printed. Pure.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cairn {

// A piece of running text. Literal: as it is typed or stored, set apart from the words around it.
struct Span {
  std::string text;
  bool literal = false;
};
inline Span literal(std::string text) {
  return {std::move(text), true};
}
inline Span words(std::string text) {
  return {std::move(text), false};
}
using Prose = std::vector<Span>;

struct Heading {
  int level = 1;  // 1 or 2, below the title
  std::string text;
};
struct Paragraph {
  Prose prose;
};
struct Points {
  std::vector<Prose> items;
};
// Lines to be copied, each whole.
struct CommandLines {
  std::vector<std::string> lines;
};
struct DocumentTable {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> rows;  // as many cells as titles
};

struct Document {
  using Block = std::variant<Heading, Paragraph, Points, CommandLines, DocumentTable>;
  std::string title;
  std::vector<Block> blocks;
};

// Each ends in a newline. What comes from a store or a file system is made safe for the form: control characters are
// shown as escapes, and markup in it is none.
// Lines of at most 79 columns, but for commands and tables.
std::string as_text(const Document& document);
// CommonMark, with tables as GitHub and pandoc read them.
std::string as_markdown(const Document& document);
// One page without scripts that refers to nothing, light or dark as the reader's system is.
std::string as_html(const Document& document);

// Text in HTML, in an element or an attribute.
std::string html_escaped(std::string_view text);

}  // namespace cairn
