// Any bytes as an erasure order, a row of the vault, a packed payload. Property: no crash, no allocation beyond what
// the bytes can hold; what is accepted is written and read back the same; nothing is accepted without its seal.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "ledger/erasure.h"
#include "ledger/payload.h"
#include "ledger/vault_row.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::ledger;
  if (size == 0) return 0;
  static const Key32 key;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  switch (bytes[0] % 4) {
    case 0: {
      STILLWATCH_ASSERT(!open_order(text, key));
      if (const auto order = parse_order(text)) {
        const auto again = open_order(seal_order(*order, key), key);
        STILLWATCH_ASSERT(again && again->id == order->id && again->plan.size() == order->plan.size());
        STILLWATCH_ASSERT(again->files.size() == order->files.size() && again->names == order->names);
      }
      break;
    }
    case 1:
      if (const auto row = parse_row(text)) {
        // Two bytes are of no meaning; the rest comes back.
        const std::string head = write_row_head(*row);
        STILLWATCH_ASSERT(head.substr(4) == text.substr(4, head.size() - 4));
      }
      break;
    case 2:
      if (const auto unpacked = unpack_payload(text)) {
        STILLWATCH_ASSERT(unpacked->payload.size() <= kPayloadBytesMax);
        std::string again;
        pack_parts(unpacked->salt, unpacked->payload, "", "", again);
        compress_packed(again);
        STILLWATCH_ASSERT(unpack_payload(again)->payload == payload_bytes(unpacked->payload, "", ""));
      }
      break;
    default:
      if (const auto payload = parse_payload(text)) {
        STILLWATCH_ASSERT(payload_bytes(payload->prompt, payload->response, payload->headers) == text);
      }
  }
  return 0;
}
