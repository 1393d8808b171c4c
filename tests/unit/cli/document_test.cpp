#include "cli/document.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Document document_of(Document::Block block) {
  return {"T", {std::move(block)}};
}

std::string markdown(Document::Block block) {
  return as_markdown(document_of(std::move(block)));
}

std::string html(Document::Block block) {
  const std::string all = as_html(document_of(std::move(block)));
  const auto at = all.find("</h1>\n") + 6;
  return all.substr(at, all.find("</body>") - at);
}

}  // namespace

TEST_CASE("document: text is wrapped, literals are quoted, commands are not broken") {
  const std::string long_command(200, 'x');
  const Document document{"Title",
                          {Heading{1, "One"}, Paragraph{{words("Take "), literal("a b"), words(" and wait")}},
                           Points{{{words(std::string(70, 'w') + " and more words")}}}, CommandLines{{long_command}},
                           DocumentTable{{"A", "B"}, {{"1", "2"}}}}};
  CHECK(as_text(document) == "Title\n\nOne\n===\n\nTake 'a b' and wait\n\n- " + std::string(70, 'w') +
                                 " and\n  more words\n\n    " + long_command + "\n\nA  B\n1  2\n");
}

TEST_CASE("document: what comes from a store is no markup and moves no cursor") {
  const std::string name = "<b>&\x1b[1m*_|`";
  CHECK(markdown(Paragraph{{words(name)}}) == "# T\n\n\\<b\\>\\&\\\\x1b\\[1m\\*\\_\\|\\`\n");
  CHECK(markdown(Paragraph{{literal("a`b")}}) == "# T\n\n``a`b``\n");
  CHECK(markdown(Paragraph{{literal("`a")}}) == "# T\n\n`` `a ``\n");
  CHECK(html(Paragraph{{words(name), literal("<i>\"")}}) ==
        "<p>&lt;b&gt;&amp;\\x1b[1m*_|`<code>&lt;i&gt;&quot;</code></p>\n");
  CHECK(html(CommandLines{{"</pre><script>"}}) == "<pre>&lt;/pre&gt;&lt;script&gt;\n</pre>\n");
}

TEST_CASE("document: a line cannot end the fence it stands in") {
  CHECK(markdown(CommandLines{{"```", "x"}}) == "# T\n\n````sh\n```\nx\n````\n");
  CHECK(markdown(CommandLines{{"x"}}) == "# T\n\n```sh\nx\n```\n");
}

TEST_CASE("document: tables in each form") {
  const DocumentTable table{{"A", "B"}, {{"1|2", "<"}}};
  CHECK(markdown(table) == "# T\n\n| A | B |\n| --- | --- |\n| 1\\|2 | \\< |\n");
  CHECK(html(table) ==
        "<div class=\"wide\"><table>\n<tr><th>A</th><th>B</th></tr>\n"
        "<tr><td>1|2</td><td>&lt;</td></tr>\n</table></div>\n");
}

TEST_CASE("document: a page of HTML refers to nothing") {
  const std::string page = as_html(document_of(Heading{1, "x"}));
  for (const char* word : {"http", "src=", "<script", "url(", "@import"}) {
    CAPTURE(word);
    CHECK(page.find(word) == std::string::npos);
  }
}
