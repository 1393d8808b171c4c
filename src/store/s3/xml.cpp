#include "store/s3/xml.hpp"

#include "store/store_url.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <pugixml.hpp>

namespace cairn::s3 {

namespace {

// The name without a namespace prefix.
std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  return name.substr(name.find(':') + 1);  // npos + 1 is 0
}

pugi::xml_node child(const pugi::xml_node& parent, std::string_view name) {
  for (const pugi::xml_node node : parent.children()) {
    if (node.type() == pugi::node_element && local_name(node) == name) return node;
  }
  return {};
}

std::string text(const pugi::xml_node& parent, std::string_view name) {
  return child(parent, name).text().get();
}

// The root element if the document is complete and it is called `name`. A document type is refused: pugixml expands no
// entity of its own accord, but nobody else who reads the same answer should differ from us either.
pugi::xml_node root(pugi::xml_document& document, ByteView xml, std::string_view name) {
  const auto result =
      document.load_buffer(xml.data(), xml.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_utf8);
  if (!result) return {};
  for (const pugi::xml_node node : document.children()) {
    if (node.type() == pugi::node_doctype) return {};
  }
  const pugi::xml_node element = document.document_element();
  return local_name(element) == name ? element : pugi::xml_node{};
}

// Undoes encoding-type=url, which writes a space as a plus sign.
std::optional<std::string> decode_key(std::string key) {
  std::replace(key.begin(), key.end(), '+', ' ');
  return percent_decode(key);
}

}  // namespace

std::optional<ErrorBody> parse_error(ByteView xml) {
  pugi::xml_document document;
  const auto error = root(document, xml, "Error");
  if (!error) return std::nullopt;
  return ErrorBody{text(error, "Code"), text(error, "Message"), text(error, "Region")};
}

std::optional<ListPage> parse_list(ByteView xml) {
  pugi::xml_document document;
  const auto list = root(document, xml, "ListBucketResult");
  if (!list) return std::nullopt;
  ListPage page;
  const bool encoded = text(list, "EncodingType") == "url";
  const std::string truncated = text(list, "IsTruncated");
  if (truncated != "true" && truncated != "false") return std::nullopt;
  page.truncated = truncated == "true";
  page.next_token = text(list, "NextContinuationToken");
  for (const pugi::xml_node node : list.children()) {
    if (node.type() != pugi::node_element || local_name(node) != "Contents") continue;
    auto key = std::optional{text(node, "Key")};
    if (encoded) key = decode_key(*key);
    const std::string size = text(node, "Size");
    const auto modified = parse_time(text(node, "LastModified"));
    ListedObject object;
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
    if (!key || key->empty() || !modified || error != std::errc{} || end != size.data() + size.size()) {
      return std::nullopt;
    }
    object.key = std::move(*key);
    object.modified = *modified;
    page.objects.push_back(std::move(object));
  }
  return page;
}

std::optional<std::vector<DeleteError>> parse_delete_result(ByteView xml) {
  pugi::xml_document document;
  const auto result = root(document, xml, "DeleteResult");
  if (!result) return std::nullopt;
  std::vector<DeleteError> errors;
  for (const pugi::xml_node node : result.children()) {
    if (node.type() != pugi::node_element || local_name(node) != "Error") continue;
    errors.push_back({text(node, "Key"), text(node, "Code"), text(node, "Message")});
  }
  return errors;
}

std::string delete_request(std::span<const std::string> keys) {
  pugi::xml_document document;
  auto root = document.append_child("Delete");
  root.append_attribute("xmlns") = "http://s3.amazonaws.com/doc/2006-03-01/";
  root.append_child("Quiet").text() = "true";
  for (const auto& key : keys) root.append_child("Object").append_child("Key").text() = key.c_str();
  struct Writer : pugi::xml_writer {
    std::string out;
    void write(const void* data, std::size_t size) override { out.append(static_cast<const char*>(data), size); }
  } writer;
  document.save(writer, "", pugi::format_raw, pugi::encoding_utf8);
  return std::move(writer.out);
}

}  // namespace cairn::s3
