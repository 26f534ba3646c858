#include "gateway/exchange.h"

#include "base/random.h"

namespace stillwatch::gateway {

std::string request_id(std::int64_t arrived_us, std::uint32_t instance) {
  constexpr char kLetters[] = "0123456789abcdefghjkmnpqrstvwxyz";
  // 64 bits of the time, scrambled one to one, then the instance: 13 and 7 letters of 5 bits, and two more of a check
  // that makes a mistyped id unlikely to be another one's. The last is one of two, so that the 22 are also base64url of
  // 16 bytes: the id of the request's leaf in the audit log.
  const std::uint64_t time = base::mix64(static_cast<std::uint64_t>(arrived_us));
  const std::uint64_t check = base::mix64(time ^ instance);
  std::string out = "req_";
  for (unsigned at = 0; at < 13; ++at) out += kLetters[time >> (5 * at) & 31U];
  for (unsigned at = 0; at < 7; ++at) out += kLetters[std::uint64_t{instance} >> (5 * at) & 31U];
  out += kLetters[check & 31U];
  out += (check >> 5 & 1U) != 0 ? 'w' : 'g';
  return out;
}

}  // namespace stillwatch::gateway
