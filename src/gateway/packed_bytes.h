// A compressed file (gzip, zstd) by offsets in what it unpacks to: forwards, and backwards as far as bytes are kept.
//
// Invariant: equal offsets give equal bytes until restart(), whatever was read between. Going back behind what is kept
// unpacks from the beginning again: never wrong, only slow.
// Threads: one user. Cost: gzip ~300 MB/s, zstd ~1 GB/s of unpacked bytes. Bounds: those of intake/decompress.h
// (window, ratio), what is kept from keep_from() on, and a block. Spec: RFC 1952, RFC 8878.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "intake/decompress.h"

namespace stillwatch::gateway {

class PackedBytes {
 public:
  /// Reads `file` with pread; whoever opened it closes it.
  explicit PackedBytes(int file) : file_(file) {}
  PackedBytes(const PackedBytes&) = delete;
  PackedBytes& operator=(const PackedBytes&) = delete;

  /// Unpacks towards `at`, about `bytes_max` at a time. True: it is there, or the end comes before it.
  bool advance(std::uint64_t at, std::uint64_t bytes_max);
  /// `count` is less than `size` only where the bytes end or are damaged. False when the file cannot be read.
  bool read_at(char* out, std::size_t size, std::uint64_t at, std::size_t& count);
  /// What is before will not be asked for again, but for the first kHeadBytes.
  void keep_from(std::uint64_t at) { keep_from_ = at; }
  /// From the beginning again: the file has changed.
  void restart();
  /// Gives memory back, until it is read again from its beginning.
  void release() { restart(); }

  /// The first bytes, kHeadBytes or all that there are. Does not go back.
  std::string_view head();
  /// All that there is was unpacked: up to end().
  bool at_end() const { return is_ended_; }
  std::uint64_t end() const { return window_at_ + window_.size(); }
  /// Why it ended before its end.
  const intake::StreamDamage* damage() const;
  /// Of the compressed file.
  std::uint64_t bytes_read() const { return file_at_; }

 private:
  static constexpr std::size_t kHeadBytes = 4'096;  // of which a tail knows a file again
  static constexpr std::size_t kStepBytes = 128U << 10;
  void forget(std::uint64_t until);
  bool step();

  int file_;
  std::uint64_t file_at_ = 0;
  std::optional<intake::Decompressor> unpacked_;
  std::string head_;    // the first bytes
  std::string window_;  // those from window_at_ on
  std::uint64_t window_at_ = 0, keep_from_ = 0;
  bool is_ended_ = false, has_failed_ = false;
};

}  // namespace stillwatch::gateway
