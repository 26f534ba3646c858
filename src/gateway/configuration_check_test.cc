#include "gateway/configuration_check.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <fstream>

#include "base/event_time.h"
#include "base/folder_fixture.h"
#include "gateway/key_file.h"
#include "gateway/network_text.h"

namespace stillwatch::gateway {
namespace {

using namespace settings;

constexpr std::int64_t kNow = 1'777'000'000'000'000;

class ConfigurationCheck : public ::testing::Test {
 protected:
  void SetUp() override {
    to_.identity.unknown = Answer::pass;
    to_.query_log.folder = folder_ / "log/new";
    to_.state.folder = folder_ / "state";
    to_.state.secret_file = put("secret", std::string(64, 'a'));
    Upstream upstream;
    upstream.name = "models";
    upstream.urls = {"http://127.0.0.1:8000"};
    to_.upstreams.push_back(upstream);
  }

  std::string put(const std::string& name, const std::string& text) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0600);
    return path;
  }
  // A self-signed certificate for NAME.crt and NAME.key.
  void make_certificate(const std::string& name, std::int64_t begins_us, std::int64_t ends_us) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    ASN1_TIME_set(X509_getm_notBefore(certificate), begins_us / base::kSecondUs);
    ASN1_TIME_set(X509_getm_notAfter(certificate), ends_us / base::kSecondUs);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    put(name + ".crt", "");
    put(name + ".key", "");
    std::FILE* file = std::fopen((folder_ / name + ".crt").c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen((folder_ / name + ".key").c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  // Whether a finding of that weight has the text.
  testing::AssertionResult found(bool error, const std::string& text) {
    std::string all;
    for (const Finding& finding : check(to_, kNow)) {
      if (finding.error == error && finding.message.find(text) != std::string::npos) return testing::AssertionSuccess();
      all += (finding.error ? "error: " : "warning: ") + finding.message + "\n";
    }
    return testing::AssertionFailure() << "not found: " << text << "\n" << all;
  }
  std::size_t errors() {
    std::size_t count = 0;
    for (const Finding& finding : check(to_, kNow)) count += finding.error ? 1 : 0;
    return count;
  }
  const base::test::Folder folder_;
  Configuration to_;
};

TEST_F(ConfigurationCheck, NothingToSayOfASoundOne) {
  for (const Finding& finding : check(to_, kNow)) ADD_FAILURE() << finding.message;
}

TEST_F(ConfigurationCheck, Addresses) {
  to_.server.listen = {"127.0.0.1", "127.0.0.1:80", "127.0.0.1:80"};
  EXPECT_TRUE(found(true, "server.listen: 127.0.0.1 is neither"));
  EXPECT_TRUE(found(true, "127.0.0.1:80 is listened on twice"));
  to_.server.admin_listen = {"0.0.0.0:9464"};
  EXPECT_TRUE(found(true, "server.admin_token_file must be set"));
  to_.server.admin_token_file = put("token", "secret");
  EXPECT_FALSE(found(true, "server.admin_token_file must be set"));
  to_.server.decision_listen = {"10.0.0.1:9"};
  EXPECT_TRUE(found(false, "server.decision_listen"));
}

TEST_F(ConfigurationCheck, Certificates) {
  make_certificate("good", kNow - base::kDayUs, kNow + 90 * base::kDayUs);
  make_certificate("old", kNow - 9 * base::kDayUs, kNow - base::kDayUs);
  make_certificate("ending", kNow - base::kDayUs, kNow + 3 * base::kDayUs);
  make_certificate("future", kNow + base::kDayUs, kNow + 90 * base::kDayUs);
  ServerTls& tls = to_.server.tls;
  const auto use = [&](const std::string& certificate, const std::string& key) {
    tls.certificate_file = folder_ / certificate + ".crt";
    tls.key_file = folder_ / key + ".key";
  };
  use("good", "good");
  EXPECT_EQ(errors(), 0U);
  use("good", "old");
  EXPECT_TRUE(found(true, "is not the key of"));
  use("old", "old");
  EXPECT_TRUE(found(true, "old.crt expired at 2026-04-23"));
  use("future", "future");
  EXPECT_TRUE(found(true, "is not valid before"));
  use("ending", "ending");
  EXPECT_TRUE(found(false, "ending.crt expires at"));
  EXPECT_EQ(errors(), 0U);
  ::chmod((folder_ / "ending.key").c_str(), 0644);
  EXPECT_TRUE(found(true, "can be read by every user"));
  tls.key_file = "";
  EXPECT_TRUE(found(true, "certificate and key go together"));
  use("none", "none");
  EXPECT_TRUE(found(true, "none.crt"));
  put("rubbish.crt", "rubbish");
  use("rubbish", "good");
  EXPECT_TRUE(found(true, "holds no certificate"));
  use("good", "good");
  tls.client_certificates = ClientCertificates::required;
  EXPECT_TRUE(found(true, "needs server.tls.client_ca"));
}

TEST_F(ConfigurationCheck, WhoAsks) {
  to_.identity.unknown = Answer::refuse;
  EXPECT_TRUE(found(true, "nothing says whose a request is"));
  to_.identity.keys_file = put("keys.ndjson", "{}\n");
  EXPECT_TRUE(found(true, "keys.ndjson:1: v must be 1"));
  to_.identity.keys_file = put("keys.ndjson", key_line("sk-1", {"key_1", "acct_1", "fre", "", INT64_MAX}) + "\n" +
                                                  key_line("sk-2", {"key_2", "acct_1", "free", "", INT64_MAX}));
  to_.tiers["free"] = {};
  to_.keys["key_2"] = {};
  to_.keys["key_3"] = {};
  EXPECT_TRUE(found(false, "keys name tier fre, but"));
  EXPECT_FALSE(found(false, "keys name tier free"));
  EXPECT_TRUE(found(false, "keys.key_3: identity.keys_file has no key"));
  EXPECT_FALSE(found(false, "keys.key_2"));
  to_.identity.front_proxies = {{{"10.0.0.0/8", "unix"}, "x-account", "", "", "", ""}};
  EXPECT_EQ(errors(), 0U);
  to_.identity.front_proxies[0].networks = {"0.0.0.0/0", "10.0.0.1/8"};
  to_.identity.front_proxies[0].key_header = "x key";
  EXPECT_TRUE(found(true, "everybody could say to be any account"));
  EXPECT_TRUE(found(true, "10.0.0.1/8 is no network"));
  EXPECT_TRUE(found(true, "x key is no name of a header"));
  to_.identity.certificates = {{"AB", "acct_1", ""}};
  EXPECT_TRUE(found(true, "64 hexadecimal digits"));
  EXPECT_TRUE(found(true, "server.tls.client_certificates is off"));
}

TEST_F(ConfigurationCheck, WhatDoesNotFitTogether) {
  to_.upstreams.push_back(to_.upstreams[0]);
  EXPECT_TRUE(found(true, "the name is used twice"));
  EXPECT_TRUE(found(true, "/ is taken already"));
  to_.upstreams.pop_back();
  to_.tiers["free"].models = std::vector<std::string>{"m-*-large", "*********"};
  to_.tiers["free"].mtls = true;
  EXPECT_TRUE(found(true, "*********: at most 8 stars"));
  EXPECT_FALSE(found(true, "m-*-large: "));
  EXPECT_TRUE(found(true, "tiers.free.mtls"));
  to_.remedies.verify = Mode::on;
  EXPECT_TRUE(found(true, "needs verify_address"));
  EXPECT_TRUE(found(true, "appeal_address"));
  EXPECT_TRUE(found(false, "remedies that are on are only shown"));
  to_.remedies.dry_run = false;
  EXPECT_TRUE(found(false, "policy.dry_run is true"));
  to_.demo.time_header = "x-time";
  EXPECT_TRUE(found(false, "rewrites history"));
  to_.query_log.folder = "/dev/null/log";
  EXPECT_TRUE(found(true, "query_log.folder"));
}

TEST_F(ConfigurationCheck, SecretsAreCheckedAndNotShown) {
  to_.state.secret_file = put("secret", "0123secret");
  EXPECT_TRUE(found(true, "does not hold a deployment secret"));
  to_.webhooks.endpoints = {{"ftp://x", put("hook", "0123secret"), {"verdict.changed"}}};
  EXPECT_TRUE(found(true, "ftp://x is no http or https URL"));
  EXPECT_TRUE(found(true, "not a secret of webhooks"));
  for (const Finding& finding : check(to_, kNow)) EXPECT_EQ(finding.message.find("0123secret"), std::string::npos);
  to_.webhooks.endpoints = {{"https://x", folder_ / "hook", {"verdict.change"}}};
  EXPECT_TRUE(found(true, "verdict.change is no event"));
}

TEST(NetworkText, AcceptsWhatCanBeUsed) {
  for (const char* text : {"127.0.0.1:0", "localhost:80", "[::1]:65535", "unix:/run/a.sock"}) {
    EXPECT_TRUE(is_listen_address(text)) << text;
    EXPECT_TRUE(is_local_address(text)) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "example.com:1", "128.0.0.1:1"}) {
    EXPECT_TRUE(is_listen_address(text)) << text;
    EXPECT_FALSE(is_local_address(text)) << text;
  }
  for (const char* text : {"", ":80", "a", "a:", "a:65536", "a:-1", "[::1]", "::1:80", "[x]:1", "unix:", "a b:1"}) {
    EXPECT_FALSE(is_listen_address(text)) << text;
    EXPECT_FALSE(is_local_address(text)) << text;
  }
  for (const char* text : {"http://a", "https://a.example:8443/v1?x=1", "http://[::1]:1/", "http://unix:/run/a"}) {
    EXPECT_TRUE(is_url(text)) << text;
  }
  for (const char* text : {"", "a", "ftp://a", "http://", "http://user:pw@a", "http://a:b", "http://a/ b",
                           "http://a/#b", "http://unix:", "https://a\n"}) {
    EXPECT_FALSE(is_url(text)) << text;
  }
  for (const char* text : {"10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "2001:db8::/32", "::1", "10.1.2.3/32"}) {
    EXPECT_TRUE(is_network(text)) << text;
  }
  for (const char* text :
       {"", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "2001:db8::1/32", "::/129", "a/8", "10.0.0.0/", "10.0.0.0/8 "}) {
    EXPECT_FALSE(is_network(text)) << text;
  }
  EXPECT_TRUE(is_field_name("x-stillwatch_1"));
  for (const char* text : {"", "x y", "x:", "x\r", "\xC3\xA4"}) EXPECT_FALSE(is_field_name(text)) << text;
}

TEST_F(ConfigurationCheck, ALogFileMayBeInTheFolderItIsStartedFrom) {
  to_.log.file = "run.log";
  EXPECT_EQ(errors(), 0U);
}

TEST_F(ConfigurationCheck, FollowedLogs) {
  to_.upstreams.clear();
  const std::string log = put("calls", "");
  to_.tails = {{log, "litellm", TailBegin::start}};
  EXPECT_EQ(errors(), 0U);
  to_.tails.push_back({log, "native", TailBegin::end});
  EXPECT_TRUE(found(true, "is followed twice"));
  to_.tails = {{folder_ / "nowhere/calls", "native", TailBegin::start}};
  EXPECT_TRUE(found(true, "the folder of " + folder_ / "nowhere/calls" + " does not exist"));
  to_.tails = {{folder_ / "later-*", "native", TailBegin::start}};
  EXPECT_TRUE(found(false, "does not exist yet"));
  EXPECT_EQ(errors(), 0U);
  to_.tails[0].format = "apache";
  EXPECT_TRUE(found(true, "apache is not known"));
  to_.tails[0].format = "map:" + put("map.toml", "v = 2\n");
  EXPECT_EQ(errors(), 1U);
}

}  // namespace
}  // namespace stillwatch::gateway
