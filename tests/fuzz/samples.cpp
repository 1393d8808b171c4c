#include "samples.hpp"

#include "codec/zstd.hpp"

namespace cairn::fuzz {

const age::Identity& fixed_identity() {
  static const age::Identity identity =
      age::Identity::parse("AGE-SECRET-KEY-1RD6KUTP5A6ZJ49CZVTAMRY8M7SXS7SX4ZMX7GDN98EDAE0CSTFJQUP69JX");
  return identity;
}

const Keyring& fixed_keyring() {
  static const Keyring keys{{fixed_identity().recipient()}, {}, [] { return std::vector{fixed_identity()}; }};
  return keys;
}

PackBuilder::Built sample_pack(const Keyring& keys) {
  PackBuilder builder{std::nullopt, keys};
  for (const std::vector<std::string>& frame :
       {std::vector<std::string>{"one", "two", std::string(300, 'x')}, std::vector<std::string>{"three"}}) {
    std::string raw;
    std::vector<PackBuilder::Chunk> chunks;
    for (const auto& text : frame) {
      raw += text;
      chunks.push_back({sha256(text), static_cast<std::uint32_t>(text.size())});
    }
    builder.add_frame(zstd_compress(as_bytes(raw)), chunks);
  }
  return builder.finish();
}

Manifest sample_manifest() {
  const PackRef pack = sample_pack().ref;
  Record record;
  record.series = "db";
  record.cut_point = *parse_time("2026-11-21T03:24:10.123456789Z");
  record.sequence = 7;
  record.previous = sha256(std::string_view{"before"});
  Facts facts;
  facts.salt = std::string(32, 'a');
  facts.host = "host";
  facts.kind = "sqlite";
  facts.source = "/srv/\xff/db";
  facts.started = record.cut_point;
  facts.single_file = true;
  facts.tags = {{"why", "é \"test\""}, {"", ""}};
  facts.stats = {1, 2, 3, 4, 5, 6, 7};
  facts.content = R"("page_size":4096,"more":{"content":{"x":1}})";
  Root root;
  root.salt = std::string(32, 'b');
  root.levels = 2;
  root.size = 123;
  root.extents = {{pack.prefix(), 0, 3, 0}};
  Manifest manifest = Manifest::make(std::move(record), std::move(facts), std::move(root), {pack});
  manifest.signatures.push_back({"RWQ", "untrusted comment: c\nabc\n"});
  return manifest;
}

}  // namespace cairn::fuzz
