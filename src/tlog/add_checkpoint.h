// The body with which a log asks a witness for its cosignature.
//
// Invariant: one request has one text; the checkpoint is passed on byte for byte.
// Threads: pure functions. Cost: linear in the body. Spec: C2SP tlog-witness.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tlog/note.h"
#include "tlog/proof.h"

namespace stillwatch::tlog {

inline constexpr std::size_t kAddCheckpointProofMax = 63;  // tlog-witness. Further: refused
inline constexpr std::size_t kAddCheckpointBytesMax = 4'096 + kNoteBytesMax;

struct AddCheckpoint {
  std::uint64_t old_size = 0;
  Proof proof;             // old_size to the checkpoint's size
  std::string checkpoint;  // the note

  static base::Result<AddCheckpoint> parse(std::string_view body);
  std::string text() const;
};

/// The body of status 409: the size that the witness last cosigned, as "<size>\n".
inline constexpr std::string_view kSizeMediaType = "text/x.tlog.size";
std::string witness_size_text(std::uint64_t size);
base::Result<std::uint64_t> parse_witness_size(std::string_view body);

}  // namespace stillwatch::tlog
