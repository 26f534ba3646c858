// Any bytes as an authority's reply. Property: no crash, and a reply that is taken holds a token that hashes to its
// hash.
#include <cstdint>
#include <string>

#include "audit/stamp.h"
#include "base/assert.h"
#include "crypto/sha256.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch;
  const std::string_view reply(reinterpret_cast<const char*>(bytes), size);
  const auto stamp = audit::read_stamp_reply(reply);
  if (!stamp) {
    STILLWATCH_ASSERT(stamp.error().fault == base::Fault::check);
    return 0;
  }
  STILLWATCH_ASSERT(stamp->token_hash == crypto::sha256(stamp->token));
  STILLWATCH_ASSERT(!audit::check_stored_stamp("a text that nobody stamped\n", reply, "no/such/file.pem"));
  return 0;
}
