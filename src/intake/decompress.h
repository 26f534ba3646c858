// Bytes of a log as they are, or out of zstd or gzip: told apart by their first bytes, never by the name.
//
// Invariant: memory is bounded (zstd window limits::kDecompressWindowLogMax; output only as far as asked
// for), and output beyond limits::kDecompressRatioMax times the input ends with an error.
// Threads: one user each. Cost: zstd ~1 GB/s, gzip ~300 MB/s of output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::intake {

/// Fills a range with input bytes and returns how many there were; 0 is the end.
using ByteSource = std::function<base::Result<std::size_t>(char* out, std::size_t size)>;

/// A file ended or broke in the middle of a compressed stream.
struct StreamDamage {
  bool truncated = false;    // it ended early; otherwise its bytes are damaged, or it is a bomb
  std::string what;          // a sentence part: "the zstd stream ends early"
  std::uint64_t offset = 0;  // in the compressed file
};

class Decompressor {
 public:
  explicit Decompressor(ByteSource source);
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;

  /// Up to size bytes; 0 at the end of the stream or where it is damaged: look at damage() then. An Error is
  /// one of the source itself.
  base::Result<std::size_t> read(char* out, std::size_t size);
  const StreamDamage* damage() const;
  bool is_compressed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
