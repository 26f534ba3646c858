// TLS with certificates made here: who is believed, what a reload changes, and that streams survive it.
#include "http/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "http/socket_fixture.h"

namespace stillwatch::http {
namespace {

using ::testing::HasSubstr;

/// A folder of PEM files: a CA and what it signs.
class TlsTest : public ::testing::Test {
 protected:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
  struct Identity {
    Key key{nullptr, EVP_PKEY_free};
    Certificate certificate{nullptr, X509_free};
  };

  void SetUp() override {
    ca_ = make("test authority", "", nullptr, 3'600);
    other_ca_ = make("other authority", "", nullptr, 3'600);
    write("ca", ca_);
    issue("server", "server one", "DNS:localhost,IP:127.0.0.1", 3'600);
  }

  static Identity make(const std::string& name, const std::string& alternatives, const Identity* issuer, long seconds) {
    static long serial = 1;
    Identity out;
    out.key.reset(EVP_EC_gen("P-256"));
    out.certificate.reset(X509_new());
    X509* certificate = out.certificate.get();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7'200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), seconds);
    X509_set_pubkey(certificate, out.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    const Identity& signer = issuer != nullptr ? *issuer : out;
    X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
    const auto extend = [&](int kind, const std::string& value) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
      X509_add_ext(certificate, extension, -1);
      X509_EXTENSION_free(extension);
    };
    if (issuer == nullptr) extend(NID_basic_constraints, "critical,CA:TRUE");
    if (!alternatives.empty()) extend(NID_subject_alt_name, alternatives);
    X509_sign(certificate, signer.key.get(), EVP_sha256());
    return out;
  }
  std::string path(const std::string& name) const { return folder_ / name + ".pem"; }
  void write(const std::string& name, const Identity& identity) {
    const std::string files[] = {path(name), path(name + "_key")};
    for (int i = 0; i < 2; ++i) {
      std::FILE* file = std::fopen(files[i].c_str(), "wb");
      ASSERT_NE(file, nullptr);
      if (i == 0) PEM_write_X509(file, identity.certificate.get());
      if (i == 1) PEM_write_PrivateKey(file, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
      std::fclose(file);
    }
  }
  void issue(const std::string& file, const std::string& name, const std::string& alternatives, long seconds) {
    write(file, make(name, alternatives, &ca_, seconds));
  }

  ServerOptions options(bool client_ca = false, bool required = false) const {
    ServerOptions out;
    out.listen.push_back({"127.0.0.1:0", true});
    out.tls = {path("server"), path("server_key"), client_ca ? path("ca") : "", required};
    return out;
  }
  FetchRequest request(const Server& server) const {
    FetchRequest out;
    out.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/t";
    out.tls.ca_file = path("ca");
    return out;
  }
  static std::string outcome(FetchRequest request) {
    const auto answer = fetch_blocking(std::move(request));
    return answer ? answer->body : answer.error().message;
  }

  const base::test::Folder folder_;
  Identity ca_, other_ca_;
};

TEST_F(TlsTest, carries_requests_and_large_bodies) {
  const auto server = serve(options(), echo);
  ASSERT_NE(server, nullptr);
  FetchRequest big = request(*server);
  big.method = "POST";
  big.body.assign(3'000'000, 'x');
  big.answer_bytes_max = 4'000'000;
  const auto answer = fetch_blocking(big);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "POST /t\n" + big.body);
}

TEST_F(TlsTest, believes_only_what_it_should) {
  const auto server = serve(options(), echo);
  FetchRequest named = request(*server);
  EXPECT_EQ(outcome(named), "GET /t\n");
  named.tls.server_name = "localhost";
  EXPECT_EQ(outcome(named), "GET /t\n");
  named.tls.server_name = "other.example";
  EXPECT_THAT(outcome(named), HasSubstr("mismatch"));
  FetchRequest stranger = request(*server);
  write("other_ca", other_ca_);
  stranger.tls.ca_file = path("other_ca");
  EXPECT_THAT(outcome(stranger), HasSubstr("connect (TLS: "));
  stranger.tls.verify = false;
  EXPECT_EQ(outcome(stranger), "GET /t\n");
  FetchRequest plain = request(*server);
  plain.url.replace(0, 5, "http");
  EXPECT_THAT(outcome(plain), HasSubstr("broken"));
  EXPECT_GE(server->counters().tls_failures, 1U);
}

TEST_F(TlsTest, an_expired_certificate_is_refused) {
  issue("server", "server", "IP:127.0.0.1", -60);
  const auto server = serve(options(), echo);
  EXPECT_THAT(outcome(request(*server)), HasSubstr("expired"));
}

TEST_F(TlsTest, client_certificates_are_asked_for_and_described) {
  issue("client", "acme gateway", "URI:spiffe://acme/gw,DNS:gw.acme.example", 3'600);
  write("stranger", make("acme gateway", "", &other_ca_, 3'600));
  const auto server = serve(options(true, true), [](Exchange& exchange) -> Task<void> {
    const Peer& peer = exchange.peer();
    std::string text = peer.certificate_name + "|" + std::to_string(peer.certificate_sha256.size());
    for (const std::string& one : peer.certificate_alternatives) text += "|" + one;
    co_await exchange.respond(ResponseHead(), text);
  });
  FetchRequest known = request(*server);
  known.tls.certificate_file = path("client");
  known.tls.key_file = path("client_key");
  EXPECT_EQ(outcome(known), "acme gateway|64|URI:spiffe://acme/gw|DNS:gw.acme.example");
  EXPECT_FALSE(fetch_blocking(request(*server)));  // none
  FetchRequest forged = request(*server);
  forged.tls.certificate_file = path("stranger");
  forged.tls.key_file = path("stranger_key");
  EXPECT_FALSE(fetch_blocking(forged));
  EXPECT_TRUE(eventually([&] { return server->counters().tls_failures >= 2; }));
  EXPECT_EQ(server->counters().requests, 1U);

  // Asked for but not required: without one the peer has no name.
  const auto lenient = serve(options(true, false), [](Exchange& exchange) -> Task<void> {
    co_await exchange.respond(ResponseHead(), "[" + exchange.peer().certificate_name + "]");
  });
  EXPECT_EQ(outcome(request(*lenient)), "[]");
}

TEST_F(TlsTest, a_reload_changes_new_connections_and_drops_no_stream) {
  std::atomic<bool> go{false};
  const auto server = serve(options(), [&](Exchange& exchange) -> Task<void> {
    co_await exchange.begin(ResponseHead());
    co_await exchange.write("before ");
    while (!go) co_await sleep_ms(exchange.io(), 5);
    co_await exchange.write("after");
    co_await exchange.end();
  });
  std::string streamed;
  std::thread reader([&] { streamed = outcome(request(*server)); });
  ASSERT_TRUE(eventually([&] { return server->counters().streams_open == 1; }));
  issue("server", "server two", "DNS:renewed.example", 3'600);
  ASSERT_TRUE(server->reload_tls());
  FetchRequest again = request(*server);
  EXPECT_THAT(outcome(again), HasSubstr("mismatch"));  // 127.0.0.1 is no name of the new one
  again.tls.server_name = "renewed.example";
  std::thread second([&] { EXPECT_EQ(outcome(again), "before after"); });
  ASSERT_TRUE(eventually([&] { return server->counters().streams_open == 2; }));

  // Files that do not fit change nothing and say which they are.
  write("server", other_ca_);
  issue("mixed", "mixed", "", 3'600);
  std::rename(path("mixed_key").c_str(), path("server_key").c_str());
  const base::Status refused = server->reload_tls();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, base::Fault::caller);
  EXPECT_THAT(refused.error().message, HasSubstr(path("server_key")));
  go = true;
  reader.join();
  second.join();
  EXPECT_EQ(streamed, "before after");
}

TEST_F(TlsTest, a_client_that_vanishes_is_noticed_under_tls) {
  std::atomic<bool> told{false};
  const auto server = serve(options(), [&](Exchange& exchange) -> Task<void> {
    bool gone = false;
    exchange.on_client_gone([&gone] { gone = true; });
    for (bool goes_on = true; goes_on && !gone;) goes_on = co_await sleep_ms(exchange.io(), 5);
    told = gone;
  });
  FetchRequest impatient = request(*server);
  impatient.timeout_ms = 1'500;
  EXPECT_THAT(outcome(impatient), HasSubstr("timeout"));
  EXPECT_TRUE(eventually([&] { return told.load(); }));
}

TEST_F(TlsTest, names_the_file_that_is_wrong) {
  ServerOptions missing = options();
  missing.tls.certificate_file = path("nowhere");
  const auto server = Server::start(missing, [](unsigned, boost::asio::io_context&) { return echo; });
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr(path("nowhere")));
  EXPECT_FALSE(server_context({path("server"), path("ca_key"), "", false}));
  EXPECT_FALSE(server_context({path("server"), path("server_key"), "", true}));
  EXPECT_FALSE(server_context({path("server"), path("server_key"), path("nowhere"), true}));
  UpstreamTls tls;
  tls.ca_file = path("nowhere");
  EXPECT_FALSE(client_context(tls));
}

}  // namespace
}  // namespace stillwatch::http
