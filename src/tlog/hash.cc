#include "tlog/hash.h"

#include <cstring>

#include "base/assert.h"
#include "base/base64.h"

namespace stillwatch::tlog {

Hash leaf_hash(std::string_view entry) {
  constexpr std::size_t kShort = 1024;
  if (entry.size() <= kShort) {
    char bytes[1 + kShort];
    bytes[0] = 0;
    entry.copy(bytes + 1, entry.size());
    return crypto::sha256({bytes, 1 + entry.size()});
  }
  crypto::Sha256 hash;
  hash.update(std::string_view("\0", 1));
  hash.update(entry);
  return hash.finish();
}

Hash node_hash(const Hash& left, const Hash& right) {
  char bytes[1 + 2 * kHashBytes];
  bytes[0] = 1;
  std::memcpy(bytes + 1, left.data(), kHashBytes);
  std::memcpy(bytes + 1 + kHashBytes, right.data(), kHashBytes);
  return crypto::sha256({bytes, sizeof bytes});
}

const Hash& empty_root() {
  static const Hash root = crypto::sha256("");
  return root;
}

std::string hash_text(const Hash& hash) { return base::base64_encode(hash); }

std::optional<Hash> parse_hash(std::string_view text) {
  if (text.size() != 44) return std::nullopt;
  const auto bytes = base::base64_decode(text);
  if (!bytes || bytes->size() != kHashBytes) return std::nullopt;
  return hash_at({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
}

Hash hash_at(std::string_view bytes, std::size_t number) {
  STILLWATCH_ASSERT(bytes.size() / kHashBytes > number);
  Hash hash;
  std::memcpy(hash.data(), bytes.data() + number * kHashBytes, kHashBytes);
  return hash;
}

}  // namespace stillwatch::tlog
