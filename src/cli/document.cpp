#include "cli/document.hpp"

#include "cli/output.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_columns = 79;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

// Prose in lines, with a mark before the first one and as many blanks before the others.
std::string wrapped(const Prose& prose, std::string_view mark) {
  std::string all;
  for (const Span& span : prose) {
    const std::string safe = terminal_safe(span.text);
    all += span.literal ? "'" + safe + "'" : safe;
  }
  std::string out{mark};
  std::size_t column = display_width(mark);
  bool first = true;
  std::istringstream in{all};
  for (std::string word; in >> word;) {
    const std::size_t width = display_width(word);
    if (!first && column + 1 + width > k_columns) {
      out += "\n" + std::string(display_width(mark), ' ');
      column = display_width(mark);
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += width;
    first = false;
  }
  return out + "\n";
}

std::string text_of(const Heading& heading) {
  const std::string text = terminal_safe(heading.text);
  return fmt::format("{}\n{}\n", text, std::string(display_width(text), heading.level == 1 ? '=' : '-'));
}

std::string text_of(const DocumentTable& table) {
  std::vector<Table::Column> columns;
  for (const auto& title : table.titles) columns.push_back({title});
  Table out{std::move(columns)};
  for (const auto& row : table.rows) out.add(row);
  std::ostringstream to;
  out.print(to);
  return to.str();
}

// Characters that begin markup somewhere in a line. Those that do at its beginning alone stand behind words here.
std::string markdown_escaped(std::string_view text) {
  std::string out;
  for (const char c : terminal_safe(std::string{text})) {
    if (std::string_view{"\\`*_[]<>|#&~"}.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// More backquotes than stand side by side anywhere in it.
std::string fence_of(std::string_view text, std::size_t least) {
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    least = std::max(least, run + 1);
  }
  return std::string(least, '`');
}

std::string code_span(const std::string& text) {
  const std::string safe = terminal_safe(text);
  const std::string fence = fence_of(safe, 1);
  const bool apart = !safe.empty() && (safe.front() == '`' || safe.back() == '`');
  return fence + (apart ? " " : "") + safe + (apart ? " " : "") + fence;
}

std::string markdown_of(const Prose& prose) {
  std::string out;
  for (const Span& span : prose) out += span.literal ? code_span(span.text) : markdown_escaped(span.text);
  return out;
}

std::string html_of(const Prose& prose) {
  std::string out;
  for (const Span& span : prose) {
    out += span.literal ? "<code>" + html_escaped(span.text) + "</code>" : html_escaped(span.text);
  }
  return out;
}

std::string html_row(const std::vector<std::string>& cells, std::string_view tag) {
  std::string out = "<tr>";
  for (const auto& cell : cells) out += fmt::format("<{0}>{1}</{0}>", tag, html_escaped(cell));
  return out + "</tr>\n";
}

constexpr std::string_view k_style = R"(:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.2; }
h2 { border-bottom: 1px solid #ccc; padding-bottom: .2rem; margin-top: 2rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f1f1ee; border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
@media (prefers-color-scheme: dark) {
  body { color: #e4e4e0; background: #17181a; }
  code, pre { background: #26282b; }
  h2, th, td { border-color: #44474b; }
}
@media print { body { max-width: none; margin: 0; color: #000; background: #fff; } pre { break-inside: avoid; } }
)";

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : terminal_safe(std::string{text})) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string as_text(const Document& document) {
  std::string out = terminal_safe(document.title) + "\n";
  for (const auto& block : document.blocks) {
    out += '\n';
    out += std::visit(Overloaded{[](const Heading& heading) { return text_of(heading); },
                                 [](const Paragraph& paragraph) { return wrapped(paragraph.prose, ""); },
                                 [](const Points& points) {
                                   std::string lines;
                                   for (const auto& item : points.items) lines += wrapped(item, "- ");
                                   return lines;
                                 },
                                 [](const CommandLines& commands) {
                                   std::string lines;
                                   for (const auto& line : commands.lines) lines += "    " + terminal_safe(line) + "\n";
                                   return lines;
                                 },
                                 [](const DocumentTable& table) { return text_of(table); }},
                      block);
  }
  return out;
}

std::string as_markdown(const Document& document) {
  std::string out = "# " + markdown_escaped(document.title) + "\n";
  const auto row = [](const std::vector<std::string>& cells) {
    std::string line = "|";
    for (const auto& cell : cells) line += " " + markdown_escaped(cell) + " |";
    return line + "\n";
  };
  for (const auto& block : document.blocks) {
    out += '\n';
    out += std::visit(Overloaded{[](const Heading& heading) {
                                   return std::string(static_cast<std::size_t>(heading.level) + 1, '#') + " " +
                                          markdown_escaped(heading.text) + "\n";
                                 },
                                 [](const Paragraph& paragraph) { return markdown_of(paragraph.prose) + "\n"; },
                                 [](const Points& points) {
                                   std::string lines;
                                   for (const auto& item : points.items) lines += "- " + markdown_of(item) + "\n";
                                   return lines;
                                 },
                                 [](const CommandLines& commands) {
                                   std::string lines;
                                   for (const auto& line : commands.lines) lines += terminal_safe(line) + "\n";
                                   const std::string fence = fence_of(lines, 3);
                                   return fence + "sh\n" + lines + fence + "\n";
                                 },
                                 [&](const DocumentTable& table) {
                                   std::string lines = row(table.titles) + "|";
                                   for (std::size_t i = 0; i < table.titles.size(); ++i) lines += " --- |";
                                   lines += "\n";
                                   for (const auto& cells : table.rows) lines += row(cells);
                                   return lines;
                                 }},
                      block);
  }
  return out;
}

std::string as_html(const Document& document) {
  const std::string title = html_escaped(document.title);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n<style>\n{1}"
      "</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
      title, k_style);
  for (const auto& block : document.blocks) {
    out += std::visit(
        Overloaded{[](const Heading& heading) {
                     return fmt::format("<h{0}>{1}</h{0}>\n", heading.level + 1, html_escaped(heading.text));
                   },
                   [](const Paragraph& paragraph) { return fmt::format("<p>{}</p>\n", html_of(paragraph.prose)); },
                   [](const Points& points) {
                     std::string lines = "<ul>\n";
                     for (const auto& item : points.items) lines += fmt::format("<li>{}</li>\n", html_of(item));
                     return lines + "</ul>\n";
                   },
                   [](const CommandLines& commands) {
                     std::string lines = "<pre>";
                     for (const auto& line : commands.lines) lines += html_escaped(line) + "\n";
                     return lines + "</pre>\n";
                   },
                   [](const DocumentTable& table) {
                     std::string lines = "<div class=\"wide\"><table>\n" + html_row(table.titles, "th");
                     for (const auto& cells : table.rows) lines += html_row(cells, "td");
                     return lines + "</table></div>\n";
                   }},
        block);
  }
  return out + "</body>\n</html>\n";
}

}  // namespace cairn
