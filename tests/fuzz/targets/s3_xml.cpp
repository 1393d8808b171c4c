// The documents that an S3 server answers with, read as each of the kinds there are.
#include "store/s3/xml.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  const ByteView xml = as_bytes(input);
  const auto error = s3::parse_error(xml);
  const auto page = s3::parse_list(xml);
  const auto deleted = s3::parse_delete_result(xml);
  require(int{error.has_value()} + int{page.has_value()} + int{deleted.has_value()} <= 1, "a document is of one kind");
  if (!page) return;
  std::vector<std::string> keys;
  for (const auto& object : page->objects) {
    require(!object.key.empty(), "an object has a name");
    keys.push_back(object.key);
  }
  const std::string request = s3::delete_request(keys);
  std::size_t named = 0;
  for (auto at = request.find("<Object>"); at != std::string::npos; at = request.find("<Object>", at + 1)) ++named;
  require(named == keys.size(), "a request names as many objects as were given");
}

std::vector<std::string> seeds() {
  return {
      R"(<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please &lt;reduce&gt; &#10; your rate</Message><Region>eu-1</Region></Error>)",
      R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p/</Prefix><KeyCount>2</KeyCount>
<MaxKeys>2</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<NextContinuationToken>1ueGcx&amp;=</NextContinuationToken>
<Contents><Key>p/a+b%2Fc</Key><LastModified>2026-11-21T03:24:10.000Z</LastModified><ETag>"x"</ETag><Size>12</Size></Contents>
<Contents><Key>p/z</Key><LastModified>2026-11-21T03:24:10Z</LastModified><Size>18446744073709551615</Size></Contents>
</ListBucketResult>)",
      R"(<s:ListBucketResult><s:IsTruncated>false</s:IsTruncated><s:Contents><s:Key>k</s:Key><s:Size>1</s:Size><s:LastModified>2026-11-21T03:24:10Z</s:LastModified></s:Contents></s:ListBucketResult>)",
      R"(<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code><Message>no</Message></Error><Deleted/></DeleteResult>)",
      R"(<!DOCTYPE Error [<!ENTITY a "b">]><Error><Code>&a;</Code></Error>)",
      R"(<Error><![CDATA[x]]><Code><!-- c --><?pi d?>A</Code></Error>)"};
}

const fuzz::Registration k_registration{{"s3_xml", run, seeds}};

}  // namespace
