#include "audit/stamp.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ts.h>

#include <memory>

#include <fmt/format.h>

#include "base/event_time.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

template <auto free_function>
struct Frees {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
template <class T, auto free_function>
using Owned = std::unique_ptr<T, Frees<free_function>>;
using Request = Owned<TS_REQ, TS_REQ_free>;
using Reply = Owned<TS_RESP, TS_RESP_free>;
using VerifyContext = Owned<TS_VERIFY_CTX, TS_VERIFY_CTX_free>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

/// OpenSSL's reason for the first failure; empties its queue.
std::string why() {
  const char* reason = nullptr;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    if (const char* text = ERR_reason_error_string(code)) reason = text;
  }
  return reason != nullptr ? reason : "no reason given";
}

Request make_request(std::string_view text, bool with_nonce) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes_of(text), text.size(), digest);
  const Request request(TS_REQ_new());
  const Owned<X509_ALGOR, X509_ALGOR_free> algorithm(X509_ALGOR_new());
  const Owned<TS_MSG_IMPRINT, TS_MSG_IMPRINT_free> imprint(TS_MSG_IMPRINT_new());
  const Owned<ASN1_INTEGER, ASN1_INTEGER_free> nonce(ASN1_INTEGER_new());
  std::uint64_t random = 0;
  if (!request || !algorithm || !imprint || !nonce) return nullptr;
  const bool made =
      X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr) == 1 &&
      TS_MSG_IMPRINT_set_algo(imprint.get(), algorithm.get()) == 1 &&
      TS_MSG_IMPRINT_set_msg(imprint.get(), digest, sizeof digest) == 1 && TS_REQ_set_version(request.get(), 1) == 1 &&
      TS_REQ_set_msg_imprint(request.get(), imprint.get()) == 1 && TS_REQ_set_cert_req(request.get(), 1) == 1;
  if (!made) return nullptr;
  if (with_nonce) {
    const bool drawn = RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof random) == 1 &&
                       ASN1_INTEGER_set_uint64(nonce.get(), random) == 1 &&
                       TS_REQ_set_nonce(request.get(), nonce.get()) == 1;
    if (!drawn) return nullptr;
  }
  return Request(TS_REQ_dup(request.get()));
}

base::Result<Reply> parse_reply(std::string_view bytes) {
  if (bytes.size() > kStampReplyBytesMax) {
    return base::fail(Fault::check, fmt::format("the time stamp reply is longer than {} bytes", kStampReplyBytesMax));
  }
  const unsigned char* at = bytes_of(bytes);
  Reply reply(d2i_TS_RESP(nullptr, &at, static_cast<long>(bytes.size())));
  ERR_clear_error();
  if (!reply || at != bytes_of(bytes) + bytes.size()) {
    return base::fail(Fault::check, "the time stamp reply is not one DER TimeStampResp");
  }
  const TS_STATUS_INFO* status = TS_RESP_get_status_info(reply.get());
  const auto code = ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(status));
  // 0 granted, 1 granted with modifications (RFC 3161 section 2.4.2).
  if (code != TS_STATUS_GRANTED && code != TS_STATUS_GRANTED_WITH_MODS) {
    return base::fail(Fault::check, fmt::format("the authority refused to stamp (status {})", code));
  }
  if (TS_RESP_get_token(reply.get()) == nullptr || TS_RESP_get_tst_info(reply.get()) == nullptr) {
    return base::fail(Fault::check, "the time stamp reply says granted and holds no token");
  }
  return reply;
}

/// "20261122000010.123Z" -> microseconds; RFC 3161 wants seconds and Z, fractions are optional.
std::optional<std::int64_t> generalized_time_us(const ASN1_GENERALIZEDTIME* time) {
  const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(time)),
                              static_cast<std::size_t>(ASN1_STRING_length(time)));
  if (text.size() < 15 || text.back() != 'Z') return std::nullopt;
  std::string_view fraction = text.substr(14, text.size() - 15);
  if (!fraction.empty() && (fraction[0] != '.' || fraction.size() < 2)) return std::nullopt;
  if (fraction.find_first_not_of("0123456789", 1) != std::string_view::npos) return std::nullopt;
  fraction = fraction.substr(0, 7);  // a point and microseconds
  return base::parse_time(fmt::format("{}-{}-{}T{}:{}:{}{}Z", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2),
                                      text.substr(8, 2), text.substr(10, 2), text.substr(12, 2), fraction));
}

base::Result<Stamp> describe(const Reply& reply) {
  TS_TST_INFO* info = TS_RESP_get_tst_info(reply.get());
  Stamp stamp;
  const auto time_us = generalized_time_us(TS_TST_INFO_get_time(info));
  if (!time_us) return base::fail(Fault::check, "the time in the token is not one that RFC 3161 allows");
  stamp.time_ms = *time_us / 1'000;
  const Owned<BIGNUM, BN_free> serial(ASN1_INTEGER_to_BN(TS_TST_INFO_get_serial(info), nullptr));
  if (!serial) return base::fail(Fault::check, "the token has no serial number");
  char* hex = BN_bn2hex(serial.get());
  if (hex == nullptr) return base::fail(Fault::ours, "no memory for a serial number");
  stamp.serial = hex;
  OPENSSL_free(hex);
  char policy[256] = "";
  OBJ_obj2txt(policy, sizeof policy, TS_TST_INFO_get_policy_id(info), 1);
  stamp.policy = policy;
  unsigned char* der = nullptr;
  const int size = i2d_PKCS7(TS_RESP_get_token(reply.get()), &der);
  if (size <= 0) return base::fail(Fault::check, "the token cannot be written out again: " + why());
  stamp.token.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  SHA256(bytes_of(stamp.token), stamp.token.size(), stamp.token_hash.data());
  return stamp;
}

base::Result<Stamp> check(TS_REQ* request, std::string_view bytes, const std::string& ca_file, bool as_of_then) {
  STILLWATCH_TRY(reply, parse_reply(bytes));
  STILLWATCH_TRY(stamp, describe(reply));
  ERR_clear_error();
  Owned<X509_STORE, X509_STORE_free> store(X509_STORE_new());
  const VerifyContext context(TS_REQ_to_TS_VERIFY_CTX(request, nullptr));
  if (!store || !context) return base::fail(Fault::ours, "no memory to check a time stamp: " + why());
  if (X509_STORE_load_file(store.get(), ca_file.c_str()) != 1) {
    return base::fail(Fault::environment, fmt::format("cannot read certificates of authorities from {}: {}; give a PEM "
                                                      "file with the root of the time stamping authority",
                                                      ca_file, why()));
  }
  if (as_of_then) X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()), stamp.time_ms / 1'000);
  TS_VERIFY_CTX_set_store(context.get(), store.release());
  TS_VERIFY_CTX_add_flags(context.get(), TS_VFY_SIGNATURE);
  if (TS_RESP_verify_response(context.get(), reply.get()) != 1) {
    return base::fail(Fault::check, fmt::format("the time stamp does not verify: {}", why()));
  }
  return stamp;
}

}  // namespace

base::Result<StampRequest> stamp_request(std::string_view text) {
  const Request request = make_request(text, true);
  unsigned char* der = nullptr;
  const int size = request ? i2d_TS_REQ(request.get(), &der) : -1;
  if (size <= 0) return base::fail(Fault::ours, "cannot write a time stamp request: " + why());
  StampRequest made{std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)), std::string(text)};
  OPENSSL_free(der);
  return made;
}

base::Result<Stamp> read_stamp_reply(std::string_view reply) {
  STILLWATCH_TRY(parsed, parse_reply(reply));
  return describe(parsed);
}

base::Result<Stamp> check_stamp_reply(const StampRequest& request, std::string_view reply, const std::string& ca_file) {
  const unsigned char* at = bytes_of(request.der);
  const Request parsed(d2i_TS_REQ(nullptr, &at, static_cast<long>(request.der.size())));
  if (!parsed) return base::fail(Fault::ours, "our own time stamp request cannot be read");
  return check(parsed.get(), reply, ca_file, false);
}

base::Result<Stamp> check_stored_stamp(std::string_view text, std::string_view reply, const std::string& ca_file) {
  const Request request = make_request(text, false);
  if (!request) return base::fail(Fault::ours, "cannot write a time stamp request: " + why());
  return check(request.get(), reply, ca_file, true);
}

}  // namespace stillwatch::audit
