// A payload as it is encrypted: salt, a flag, and its bytes, plain or compressed.
//
// Invariant: unpack gives what pack was given, or an input error; nothing that it allocates is larger than
// kPayloadBytesMax. Threads: pure functions. Cost: a copy; with zstd about 3 ns a byte.
// Format: docs/reference/ledger-files.md.
#pragma once

#include <string>
#include <string_view>

#include "ledger/vault.h"

namespace stillwatch::ledger {

/// Replaces `out` by salt || flag || payload. False when the payload is longer than allowed.
bool pack_payload(const Hash32& salt, std::string_view payload, bool compress, std::string& out);

struct Unpacked {
  Hash32 salt{};
  std::string payload;  // payload_bytes()
};
base::Result<Unpacked> unpack_payload(std::string_view bytes);

}  // namespace stillwatch::ledger
