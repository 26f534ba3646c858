// Requests and replies against the openssl program as authority and as verifier, and hostile replies.
#include "audit/stamp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/stamp_fixture.h"
#include "crypto/sha256.h"

namespace stillwatch::audit {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kText = "audit.example/anchor/2026\n3\npkvybgkSj2/i/m+LLYyAHhZrV8BHp82bK4Ceepai8cs=\n";

class stamp : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { authority_ = new OpensslAuthority; }
  static void TearDownTestSuite() { delete authority_; }
  void SetUp() override { ASSERT_TRUE(authority_->ready()) << "openssl could not make an authority"; }

  static StampRequest request() { return *stamp_request(kText); }
  static base::Result<Stamp> check(const StampRequest& request, std::string_view reply) {
    return check_stamp_reply(request, reply, authority_->ca_file());
  }
  static OpensslAuthority* authority_;
};
OpensslAuthority* stamp::authority_ = nullptr;

TEST_F(stamp, the_openssl_program_reads_our_request_and_we_take_its_answer) {
  const StampRequest asked = request();
  ASSERT_TRUE(base::write_file(authority_->folder() + "/ours.tsq", asked.der));
  EXPECT_TRUE(authority_->run("openssl ts -query -in ours.tsq -text | grep -q 'Hash Algorithm: sha256'"));
  EXPECT_TRUE(authority_->run("openssl ts -query -in ours.tsq -text | grep -q 'Certificate required: yes'"));
  const std::string reply = authority_->answer(asked.der);
  ASSERT_FALSE(reply.empty());
  const auto taken = check(asked, reply);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->policy, "1.2.3.4.1");
  EXPECT_FALSE(taken->serial.empty());
  EXPECT_GT(taken->time_ms, 1'700'000'000'000);
  EXPECT_EQ(taken->token_hash, crypto::sha256(taken->token));
  EXPECT_EQ(check_stored_stamp(kText, reply, authority_->ca_file())->token_hash, taken->token_hash);
}

TEST_F(stamp, the_openssl_program_verifies_what_is_kept_and_finds_the_same_token) {
  const std::string reply = authority_->answer(request().der);
  const auto taken = read_stamp_reply(reply);
  ASSERT_TRUE(taken);
  ASSERT_TRUE(base::write_file(authority_->folder() + "/kept.tsr", reply));
  ASSERT_TRUE(base::write_file(authority_->folder() + "/kept.note", kText));
  EXPECT_TRUE(authority_->run("openssl ts -verify -data kept.note -in kept.tsr -CAfile ca.pem"));
  ASSERT_TRUE(authority_->run("openssl ts -reply -in kept.tsr -token_out -out kept.token"));
  EXPECT_EQ(base::read_file(authority_->folder() + "/kept.token", 1U << 20).value(), taken->token);
  ASSERT_TRUE(base::write_file(authority_->folder() + "/kept.note", std::string(kText) + "x"));
  EXPECT_FALSE(authority_->run("openssl ts -verify -data kept.note -in kept.tsr -CAfile ca.pem"));
}

// A library of other people's, in Debian as python3-rfc3161ng.
TEST_F(stamp, the_python_library_rfc3161ng_takes_what_is_kept) {
  if (!authority_->run("/usr/bin/python3 -c 'import rfc3161ng'")) GTEST_SKIP() << "python3-rfc3161ng is not installed";
  ASSERT_TRUE(base::write_file(authority_->folder() + "/kept.tsr", authority_->answer(request().der)));
  ASSERT_TRUE(base::write_file(authority_->folder() + "/kept.note", kText));
  ASSERT_TRUE(base::write_file(
      authority_->folder() + "/check.py",
      "import rfc3161ng, sys\n"
      "read = lambda name: open(name, 'rb').read()\n"
      "token = rfc3161ng.decode_timestamp_response(read('kept.tsr')).time_stamp_token\n"
      "ok = rfc3161ng.check_timestamp(token, certificate=read('tsa.pem'), data=read('kept.note'), hashname='sha256')\n"
      "sys.exit(0 if ok else 1)\n"));
  EXPECT_TRUE(authority_->run("/usr/bin/python3 check.py"));
  ASSERT_TRUE(base::write_file(authority_->folder() + "/kept.note", "another text\n"));
  EXPECT_FALSE(authority_->run("/usr/bin/python3 check.py"));
}

TEST_F(stamp, two_requests_for_one_text_have_different_nonces) { EXPECT_NE(request().der, request().der); }

TEST_F(stamp, an_answer_to_another_request_is_refused) {
  const StampRequest asked = request(), before = request(), other = *stamp_request("another text\n");
  const auto replayed = check(asked, authority_->answer(before.der));
  ASSERT_FALSE(replayed);
  EXPECT_THAT(replayed.error().message, HasSubstr("nonce"));
  EXPECT_FALSE(check(asked, authority_->answer(other.der)));
  EXPECT_FALSE(check_stored_stamp("another text\n", authority_->answer(asked.der), authority_->ca_file()));
}

TEST_F(stamp, an_authority_with_another_ca_is_refused) {
  const StampRequest asked = request();
  const std::string reply = authority_->answer(asked.der);
  const OpensslAuthority stranger;
  ASSERT_TRUE(stranger.ready());
  EXPECT_FALSE(check_stamp_reply(asked, reply, stranger.ca_file()));
  EXPECT_FALSE(check(asked, stranger.answer(asked.der)));
  const auto missing = check_stamp_reply(asked, reply, "no/such/file.pem");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, base::Fault::environment);
}

TEST_F(stamp, a_certificate_that_is_not_for_time_stamping_is_refused) {
  const OpensslAuthority wrong;
  ASSERT_TRUE(wrong.ready());
  // The openssl program refuses to sign with such a certificate, so it signs with a good one and the bad one is put in.
  ASSERT_TRUE(wrong.run("sed -i 's/^extendedKeyUsage=.*/extendedKeyUsage=serverAuth/' ts.cnf"));
  ASSERT_TRUE(
      wrong.run("openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 30 "
                "-extfile ts.cnf -extensions stamper"));
  const StampRequest asked = request();
  EXPECT_FALSE(check_stamp_reply(asked, wrong.answer(asked.der), wrong.ca_file()));
}

TEST_F(stamp, a_refusal_is_an_error_that_says_so) {
  // TimeStampResp { PKIStatusInfo { status 2 } }
  const std::string refused("\x30\x05\x30\x03\x02\x01\x02", 7);
  const auto taken = check(request(), refused);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("refused"));
  EXPECT_FALSE(check(request(), std::string("\x30\x05\x30\x03\x02\x01\x00", 7)));  // granted, and no token
}

TEST_F(stamp, no_changed_byte_of_an_answer_changes_what_it_says) {
  const StampRequest asked = request();
  const std::string reply = authority_->answer(asked.der);
  const auto good = check(asked, reply);
  ASSERT_TRUE(good);
  for (std::size_t at = 0; at < reply.size(); at += 7) {
    std::string changed = reply;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    const auto taken = check(asked, changed);
    // What is outside of the signed part (such as certificates that nobody needs) may change, the time may not.
    if (taken) {
      EXPECT_EQ(taken->time_ms, good->time_ms) << at;
    }
  }
  EXPECT_FALSE(check(asked, reply + '\0'));
  EXPECT_FALSE(check(asked, reply.substr(0, reply.size() - 1)));
  EXPECT_FALSE(check(asked, ""));
  EXPECT_FALSE(check(asked, std::string(kStampReplyBytesMax + 1, '\x30')));
}

}  // namespace
}  // namespace stillwatch::audit
