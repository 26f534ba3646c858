// RFC 3161 time stamps: the request for a text, and the check of an authority's answer.
//
// Invariant: an answer is accepted only when the authority granted it, for exactly this text and this nonce, signed by
// a certificate for time stamping that leads to the configured CA file.
// Threads: pure functions but for the files they read; OpenSSL stops in the .cc.
// Cost: about 0.2 ms a check. Spec: RFC 3161, RFC 5816.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::audit {

inline constexpr std::size_t kStampReplyBytesMax = 64U << 10;  // 2-8 KB with certificates. Longer: refused

struct StampRequest {
  std::string der;   // body of the POST, application/timestamp-query
  std::string text;  // what is stamped
};
/// SHA-256 of the text, a random nonce of 64 bits, certificates asked for.
base::Result<StampRequest> stamp_request(std::string_view text);

struct Stamp {
  std::int64_t time_ms = 0;                   // genTime, cut to milliseconds
  std::string serial;                         // hexadecimal
  std::string policy;                         // object identifier
  std::string token;                          // DER of the TimeStampToken inside the reply
  std::array<std::uint8_t, 32> token_hash{};  // its SHA-256: `p` of the next anchor leaf
};
/// What the reply says, unchecked: who signed it, and for what, is not looked at. Check error when it was refused.
base::Result<Stamp> read_stamp_reply(std::string_view reply);
/// Checks the reply (DER of a TimeStampResp) against the request. Check error that says what does not hold.
base::Result<Stamp> check_stamp_reply(const StampRequest& request, std::string_view reply, const std::string& ca_file);
/// The same for a stored reply whose request is gone: without the nonce, and with certificates as they were at its
/// time.
base::Result<Stamp> check_stored_stamp(std::string_view text, std::string_view reply, const std::string& ca_file);

}  // namespace stillwatch::audit
