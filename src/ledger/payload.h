// A payload as it is encrypted: salt, a flag, and its bytes, plain or compressed.
//
// Invariant: unpack gives what was packed, or an input error; nothing that it allocates is larger than
// kPayloadBytesMax. Threads: pure functions. Cost: a copy; with zstd about 3 ns a byte.
// Format: docs/reference/ledger-files.md.
#pragma once

#include <string>
#include <string_view>

#include "ledger/vault.h"

namespace stillwatch::ledger {

/// Replaces `out` by salt || flag || payload_bytes() of the three parts.
void pack_parts(const Hash32& salt, std::string_view prompt, std::string_view response, std::string_view headers,
                std::string& out);
/// The payload_bytes() in what pack_parts gave.
std::string_view payload_in(std::string_view packed);
/// Compresses what pack_parts gave.
void compress_packed(std::string& packed);

struct Unpacked {
  Hash32 salt{};
  std::string payload;  // payload_bytes()
};
base::Result<Unpacked> unpack_payload(std::string_view bytes);

}  // namespace stillwatch::ledger
