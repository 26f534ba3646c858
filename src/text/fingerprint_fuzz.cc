// Any bytes as turns of a conversation: no read outside, the same twice, and splitting changes nothing.
// The first byte of each piece picks its role, or says that it is the reply (0xF0 up); 0xFF ends a piece.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "crypto/keyed_hash_fixture.h"
#include "text/fingerprint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using stillwatch::text::Fingerprinter;
  using stillwatch::text::Role;
  static const auto hash = stillwatch::crypto::test::hash_of(0);
  static Fingerprinter whole(hash), split(hash);
  // Exact-size heap copies, so that a sanitizer sees a read past a piece.
  whole.begin();
  split.begin();
  for (const std::uint8_t *at = bytes, *end = bytes + size; at < end;) {
    const std::uint8_t* stop = std::find(at, end, 0xFF);
    const auto role = static_cast<Role>(*at % 4);
    const std::vector<char> piece(std::min(at + 1, stop), stop);
    if (*at >= 0xF0) {
      whole.set_reply({piece.data(), piece.size()});
      split.set_reply({piece.data(), piece.size()});
      at = stop + (stop < end ? 1 : 0);
      continue;
    }
    whole.begin_turn(role);
    split.begin_turn(role);
    whole.add_text({piece.data(), piece.size()});
    const std::size_t half = piece.size() / 2;
    const std::vector<char> left(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(half));
    const std::vector<char> right(piece.begin() + static_cast<std::ptrdiff_t>(half), piece.end());
    split.add_text({left.data(), left.size()});
    split.add_text({right.data(), right.size()});
    at = stop + (stop < end ? 1 : 0);
  }
  const auto one = whole.finish();
  STILLWATCH_ASSERT(one == split.finish());
  STILLWATCH_ASSERT(one.coverage_bucket < 2048);
  return 0;
}
