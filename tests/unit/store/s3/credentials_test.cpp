#include "store/s3/credentials.hpp"

#include "util/error.hpp"

#include <cerrno>
#include <map>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::s3;

namespace {

using Texts = std::map<std::string, std::string, std::less<>>;

struct World {
  Texts environment{{"HOME", "/home/u"}};
  Texts files;  // "(denied)": one that may not be read

  AwsEnvironment read(std::optional<std::string> profile = std::nullopt) const {
    const auto look_up = [](const Texts& texts, std::string_view name) -> std::optional<std::string> {
      const auto at = texts.find(name);
      return at == texts.end() ? std::nullopt : std::optional{at->second};
    };
    return AwsEnvironment{[=, texts = environment](std::string_view name) { return look_up(texts, name); }, profile,
                          [=, texts = files](const std::string& path) {
                            const auto text = look_up(texts, path);
                            if (text == "(denied)") throw_errno("open", path, EACCES);
                            return text;
                          }};
  }
};

std::string message_of(const World& world, std::optional<std::string> profile = std::nullopt) {
  try {
    world.read(profile).credentials();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    for (const std::string& text : {error.message(), error.hint()}) CHECK(text.find("HUSH") == std::string::npos);
    return error.message();
  }
  return "(found)";
}

}  // namespace

TEST_CASE("s3 credentials: the environment") {
  World world;
  world.environment["AWS_ACCESS_KEY_ID"] = "AK";
  world.environment["AWS_SECRET_ACCESS_KEY"] = "HUSH/+";
  auto found = world.read().credentials();
  CHECK(found.access_key == "AK");
  CHECK(found.secret_key == "HUSH/+");
  CHECK(found.session_token.empty());
  CHECK(found.source == "the environment (AWS_ACCESS_KEY_ID)");
  world.environment["AWS_SESSION_TOKEN"] = "T";
  CHECK(world.read().credentials().session_token == "T");
}

TEST_CASE("s3 credentials: whoever has keys in the environment needs no file that he may not read") {
  World world;
  world.files["/home/u/.aws/credentials"] = "(denied)";
  world.files["/home/u/.aws/config"] = "[default]\nregion = eu-1\n";
  CHECK_THROWS_AS(world.read(), SystemError);
  world.environment["AWS_ACCESS_KEY_ID"] = "AK";
  CHECK_THROWS_AS(world.read(), SystemError);
  world.environment["AWS_SECRET_ACCESS_KEY"] = "HUSH";
  CHECK(world.read().credentials().access_key == "AK");
  CHECK(world.read().region() == "eu-1");
  CHECK_THROWS_AS(world.read("default"), SystemError);
  world.environment["AWS_PROFILE"] = "p";
  CHECK(world.read().credentials().access_key == "AK");
  world.files["/home/u/.aws/config"] = "(denied)";
  CHECK(world.read().credentials().access_key == "AK");
}

TEST_CASE("s3 credentials: half a pair is an error, wherever it is") {
  World world;
  world.environment["AWS_SECRET_ACCESS_KEY"] = "HUSH";
  CHECK(message_of(world) ==
        "half a key pair in the environment: AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not");
  world.environment["AWS_ACCESS_KEY_ID"] = "";  // as good as not set
  CHECK(message_of(world).find("half a key pair") == 0);
  world.environment.erase("AWS_SECRET_ACCESS_KEY");
  world.files["/home/u/.aws/credentials"] = "[default]\naws_access_key_id = AK\n";
  CHECK(message_of(world) ==
        "half a key pair in profile 'default' in '/home/u/.aws/credentials': aws_access_key_id is set, "
        "aws_secret_access_key is not");
}

TEST_CASE("s3 credentials: a key with white space is refused here, not by the server") {
  World world;
  world.environment["AWS_ACCESS_KEY_ID"] = "AK";
  world.environment["AWS_SECRET_ACCESS_KEY"] = "HUSH\n";
  CHECK(message_of(world).find("invalid secret key in the environment") == 0);
}

TEST_CASE("s3 credentials: profiles of the shared files") {
  World world;
  world.files["/home/u/.aws/credentials"] =
      "# comment\n[default]\r\naws_access_key_id=AK0\r\naws_secret_access_key = HUSH0 ; why\r\n\n"
      "[other]\naws_access_key_id = AK1\nAWS_SECRET_ACCESS_KEY = HUSH1\naws_session_token = T1==\n";
  world.files["/home/u/.aws/config"] =
      "[default]\nregion = eu-1\n[profile other]\nregion = eu-2\ns3 =\n    addressing_style = path\n"
      "services = mine\nendpoint_url = https://general.example\n"
      "[services mine]\ns3 =\n  endpoint_url = https://s3.example\n"
      "[profile 'in config']\naws_access_key_id = AK2\naws_secret_access_key = HUSH2\n[sso-session "
      "x]\nsso_region=y\n";
  CHECK(world.read().credentials().access_key == "AK0");
  CHECK(world.read().credentials().secret_key == "HUSH0");
  CHECK(world.read().region() == "eu-1");
  CHECK_FALSE(world.read().endpoint());
  const auto other = world.read("other");
  CHECK(other.credentials().access_key == "AK1");
  CHECK(other.credentials().secret_key == "HUSH1");
  CHECK(other.credentials().session_token == "T1==");
  CHECK(other.credentials().source == "profile 'other' in '/home/u/.aws/credentials'");
  CHECK(other.region() == "eu-2");
  CHECK(other.endpoint() == "https://s3.example");
  CHECK(other.addressing_style() == "path");
  CHECK(world.read("in config").credentials().access_key == "AK2");
}

TEST_CASE("s3 credentials: a named profile beats keys in the environment, AWS_PROFILE does not") {
  World world;
  world.files["/creds"] = "[p]\naws_access_key_id=AKP\naws_secret_access_key=HUSH\n";
  world.environment["AWS_SHARED_CREDENTIALS_FILE"] = "/creds";
  world.environment["AWS_PROFILE"] = "p";
  CHECK(world.read().credentials().access_key == "AKP");
  world.environment["AWS_ACCESS_KEY_ID"] = "AKE";
  world.environment["AWS_SECRET_ACCESS_KEY"] = "HUSH";
  CHECK(world.read().credentials().access_key == "AKE");
  CHECK(world.read("p").credentials().access_key == "AKP");
}

TEST_CASE("s3 credentials: nothing found, an unknown profile and an unsupported way say so") {
  World world;
  CHECK(message_of(world) == "no credentials for S3 found");
  CHECK(message_of(world, "nope") == "no AWS profile 'nope' in '/home/u/.aws/credentials' or '/home/u/.aws/config'");
  world.files["/home/u/.aws/config"] = "[profile r]\nrole_arn = arn:x\nsource_profile = default\n";
  CHECK(message_of(world, "r") == "profile 'r' gets its keys by role_arn, which is not supported");
}

TEST_CASE("s3 credentials: a file that cannot be understood names its line and nothing of it") {
  World world;
  world.files["/home/u/.aws/credentials"] = "[default]\nHUSH without an equals sign\n";
  CHECK(message_of(world) == "unable to read '/home/u/.aws/credentials': line 2: neither a section nor a setting");
  world.files["/home/u/.aws/credentials"] = "aws_secret_access_key = HUSH\n";
  CHECK(message_of(world) == "unable to read '/home/u/.aws/credentials': line 1: a setting outside of any section");
}

TEST_CASE("s3 credentials: settings of the environment come before those of the profile") {
  World world;
  world.files["/home/u/.aws/config"] = "[default]\nregion=r0\nendpoint_url=https://e0\nca_bundle=/ca0\n";
  CHECK(world.read().region() == "r0");
  CHECK(world.read().endpoint() == "https://e0");
  CHECK(world.read().ca_file() == "/ca0");
  world.environment["AWS_DEFAULT_REGION"] = "r1";
  world.environment["AWS_ENDPOINT_URL"] = "https://e1";
  world.environment["AWS_CA_BUNDLE"] = "/ca1";
  CHECK(world.read().region() == "r1");
  CHECK(world.read().endpoint() == "https://e1");
  CHECK(world.read().ca_file() == "/ca1");
  world.environment["AWS_REGION"] = "r2";
  world.environment["AWS_ENDPOINT_URL_S3"] = "https://e2";
  CHECK(world.read().region() == "r2");
  CHECK(world.read().endpoint() == "https://e2");
}
