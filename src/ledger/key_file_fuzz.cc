// Any bytes as the files of a key book. Property: no crash; what is accepted writes the same meaning again; bytes that
// were not sealed under the key are never accepted. The first byte says which file it is, and whether the rest is put
// inside a seal, so that the readers behind it are reached.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "crypto/aead.h"
#include "ledger/key_file.h"

namespace {

using namespace stillwatch;
using namespace stillwatch::ledger;

const Key32& key() {
  static const Key32 value;
  return value;
}

std::string sealed_behind(std::string_view plain, std::string_view inner) {
  std::string out(plain);
  const std::string associated(plain);
  crypto::aead_seal(key(), inner, associated, out);
  return out;
}

void check_index(std::string_view bytes) {
  const auto entries = parse_index(bytes, key());
  if (!entries) return;
  const auto again = parse_index(write_index(*entries, key()), key());
  STILLWATCH_ASSERT(again && again->size() == entries->size());
  for (std::size_t i = 0; i < entries->size(); ++i) {
    STILLWATCH_ASSERT((*again)[i].scope == (*entries)[i].scope && (*again)[i].file == (*entries)[i].file);
    STILLWATCH_ASSERT((*again)[i].reason == cut_reason((*entries)[i].reason));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  switch (bytes[0] % 7) {
    case 0:
      if (const auto root = parse_root(text)) STILLWATCH_ASSERT(write_root(*root) == text);
      break;
    case 1: STILLWATCH_ASSERT(!parse_index(text, key()) && !parse_head(text, key())); break;
    case 2: check_index(sealed_behind("swindex1", text)); break;
    case 3:
      if (const auto head = parse_head(sealed_behind(text.substr(0, 40), ""), key())) {
        STILLWATCH_ASSERT(write_head(*head, key()).substr(0, 40).substr(16) == text.substr(16, 24));
      }
      break;
    case 4: {
      const KeyFileHead head;
      const auto record = parse_record(text, head, key());
      STILLWATCH_ASSERT(!record);
      break;
    }
    case 5:
      if (const auto scope = scope_named(text)) STILLWATCH_ASSERT(file_name_of(*scope) == text);
      break;
    default: {
      const std::string cut = cut_reason(text);
      STILLWATCH_ASSERT(cut.size() <= kReasonBytesMax && cut_reason(cut) == cut);
    }
  }
  return 0;
}
