// The test vectors of the age format (C2SP/CCTV), which are not part of the project.
#include "codec/age/age.hpp"
#include "codec/digest.hpp"
#include "support/age_files.hpp"
#include "unit/codec/programs.hpp"
#include "unit/support.hpp"
#include "util/file.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::age;

namespace {

std::optional<fs::path> vectors() {
  if (const char* given = std::getenv("CAIRN_AGE_VECTORS"); given != nullptr) return fs::path{given};
  // Beside the checkout, or beside the folder of a work tree.
  const fs::path beside = fs::path{CAIRN_SOURCE_DIR}.parent_path();
  for (const fs::path& place : {beside, beside.parent_path()}) {
    const fs::path directory = place / "shared" / "age-vectors" / "testdata";
    if (fs::is_directory(directory)) return directory;
  }
  MESSAGE("SKIPPED: no age test vectors; set CAIRN_AGE_VECTORS to the directory that holds them");
  return std::nullopt;
}

struct Vector {
  std::string expect;
  std::string payload;  // SHA-256 of the plaintext
  std::vector<std::string> identities;
  std::vector<std::string> passphrases;
  bool armoured = false;
  std::string file;
};

// Nothing where the vector is for a kind of key or a field that this program does not have.
std::optional<Vector> read_vector(const fs::path& path) {
  const std::string text{as_text(read_file(path))};
  Vector out;
  bool compressed = false;
  std::string_view rest = text;
  for (;;) {
    const std::size_t end = rest.find('\n');
    REQUIRE(end != std::string_view::npos);
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (line.empty()) break;
    const std::size_t colon = line.find(": ");
    REQUIRE(colon != std::string_view::npos);
    const std::string_view name = line.substr(0, colon);
    const std::string value{line.substr(colon + 2)};
    if (name == "expect") {
      out.expect = value;
    } else if (name == "payload") {
      out.payload = value;
    } else if (name == "identity") {
      if (value.starts_with("AGE-SECRET-KEY-PQ-")) return std::nullopt;
      out.identities.push_back(value);
    } else if (name == "passphrase") {
      out.passphrases.push_back(value);
    } else if (name == "armored") {
      out.armoured = value == "yes";
    } else if (name == "compressed") {
      REQUIRE(value == "zlib");
      compressed = true;
    } else if (name != "file key" && name != "comment") {
      return std::nullopt;
    }
  }
  out.file = rest;
  if (compressed) {
    const TemporaryDirectory directory(fs::temp_directory_path());
    const fs::path in = directory.path() / "in";
    const fs::path to = directory.path() / "out";
    write_file_atomic(in, as_bytes(rest));
    REQUIRE(test::shell("/usr/bin/python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.decompress("
                        "sys.stdin.buffer.read()))' <" +
                        in.native() + " >" + to.native()) == 0);
    out.file = as_text(read_file(to));
  }
  return out;
}

std::string opened(const Vector& vector) {
  const std::string file = vector.armoured ? dearmour(vector.file) : vector.file;
  if (!vector.passphrases.empty()) {
    // The last passphrase decides; an earlier one may be wrong.
    for (std::size_t i = 0;; ++i) {
      try {
        return std::string{decrypt_with_passphrase(file, vector.passphrases[i]).text()};
      } catch (const Error& e) {
        if (e.kind() != ErrorKind::no_key || i + 1 == vector.passphrases.size()) throw;
      }
    }
  }
  std::vector<Identity> identities;
  for (const auto& text : vector.identities) identities.push_back(Identity::parse(text));
  return decrypt(file, identities);
}

std::string outcome(const Vector& vector) {
  try {
    const std::string plain = opened(vector);
    return sha256(plain).hex() == vector.payload ? "success" : "other plaintext";
  } catch (const Damage& e) {
    switch (e.part()) {
      case DamagedPart::armour:
        return "armor failure";
      case DamagedPart::header:
        return "header failure";
      case DamagedPart::mac:
        return "HMAC failure";
      case DamagedPart::payload:
        return "payload failure";
    }
    return "unknown part";
  } catch (const Error& e) {
    return e.kind() == ErrorKind::no_key ? "no match" : e.message();
  }
}

}  // namespace

TEST_CASE("age: the published test vectors end as they say, failures in their kind") {
  const auto directory = vectors();
  if (!directory) return;
  if (!test::has_program("python3")) return;
  std::map<std::string, int> run;
  int total = 0;
  std::vector<std::string> skipped;
  for (const auto& entry : fs::directory_iterator(*directory)) {
    const std::string name = entry.path().filename().native();
    INFO("vector: " << name);
    const auto vector = read_vector(entry.path());
    if (!vector) {
      skipped.push_back(name);
      continue;
    }
    CHECK(outcome(*vector) == vector->expect);
    ++run[vector->expect];
    ++total;
  }
  // Only what is for hybrid keys may be left out.
  for (const auto& name : skipped) CHECK_MESSAGE(name.find("hybrid") != std::string::npos, name);
  CHECK(total >= 124);
  for (const auto* kind :
       {"success", "no match", "HMAC failure", "header failure", "payload failure", "armor failure"}) {
    CHECK_MESSAGE(run[kind] > 0, kind);
  }
  MESSAGE(total << " age vectors run (" << run["success"] << " success, " << run["no match"] << " no match, "
                << run["HMAC failure"] << " HMAC, " << run["header failure"] << " header, " << run["payload failure"]
                << " payload, " << run["armor failure"] << " armour failures), " << skipped.size()
                << " left out (hybrid keys)");
}
