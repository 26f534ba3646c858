// One file of a tailed log: its complete lines in order, from an offset on, as far as it goes now.
//
// Invariant: a line is given once; offset() is behind the last line that was given, and begins a line. When the file is
// shorter than what was read of it, or begins otherwise than it did, it is another file by the same name
// (Turn::replaced), and nothing more is read of it. Of a packed file (.gz, .zst) offsets and beginning are those of
// what it unpacks to, so that a place holds when a file is compressed. Threads: one user. Cost: one pread a block, one
// memchr over it; a last line without its end is read again when the file has grown, and a packed file from its
// beginning. Bounds: the buffer, shared by all files, holds one line of the limit and a block; a packed file as much
// again (packed_bytes.h) while it is being read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/keyed_hash.h"
#include "gateway/packed_bytes.h"
#include "gateway/tail_place.h"

namespace stillwatch::gateway {

/// What tells one file from another on a disk, and whether it changed.
struct FileMark {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t changed_ns = 0;
  bool is_same_file(const FileMark& other) const { return device == other.device && inode == other.inode; }
  bool operator==(const FileMark&) const = default;
};
/// False when there is no regular file.
bool mark_of(const std::string& path, FileMark& mark);
/// By its name: one that can be unpacked here.
bool is_packed(std::string_view name);

class TailedFile {
 public:
  enum class Turn : std::uint8_t { more, end, replaced, stopped, failed };
  /// False: not taken; the same line comes again at the next turn.
  using Sink = std::function<bool(std::string_view text, bool is_too_long)>;

  static base::Result<TailedFile> open(const std::string& path);
  TailedFile(TailedFile&& other) noexcept;
  TailedFile& operator=(TailedFile&& other) noexcept;
  ~TailedFile();

  const std::string& path() const { return path_; }
  /// As it is now, of the open file whatever its name is by now; false when it cannot be asked.
  bool look(FileMark& mark) const;
  std::uint64_t offset() const { return offset_; }
  /// It has grown, shrunk or begins a line that was not looked at yet.
  bool has_news(const FileMark& now) const { return now.size != seen_size_ || now.changed_ns != seen_changed_ns_; }
  /// Of what there is to read: of a packed file before it is unpacked.
  std::uint64_t bytes_behind(const FileMark& now) const;
  /// A packed file that ends before its end: its writer is at work, or was when it ended.
  bool is_cut() const { return packed_ && packed_->damage() != nullptr && packed_->damage()->truncated; }
  /// After Turn::failed.
  std::string problem() const;
  /// Whether both begin alike, for a line at least: one is the other, or a copy.
  bool begins_like(TailedFile& other);
  /// Whether nothing is behind an offset; false where only reading it would tell.
  bool is_known_to_end_at(std::uint64_t offset) const;

  /// Where reading goes on by the furthest of the places that are of a file that begins like this one and is as long;
  /// nothing when none is.
  std::optional<std::uint64_t> offset_by(std::span<const TailPlace> places, const crypto::KeyedHash& key);
  /// Before the first turn. False when so much cannot be read.
  bool start_at(std::uint64_t offset);

  /// Lines to the sink until about `bytes_max` were read or the file ends. `buffer` is anybody's.
  Turn read(std::string& buffer, std::size_t bytes_max, std::size_t line_bytes_max, const Sink& sink);
  /// What is behind the last newline, as a line: for a file that will not grow any more.
  Turn read_rest(std::string& buffer, std::size_t line_bytes_max, const Sink& sink);
  /// The place behind the last line given, or, within the sink, behind the line that is being given.
  TailPlace place(std::uint32_t tail, const crypto::KeyedHash& key);

 private:
  TailedFile(std::string path, int file);
  bool read_at(char* out, std::size_t size, std::uint64_t at, std::size_t& count);
  std::size_t first_bytes(char (&out)[kTailPrefixBytes]);
  bool keep_beginning();
  bool is_changed(const FileMark& now);
  Turn end_turn(std::uint64_t seen);

  std::string path_;
  int file_ = -1;
  std::uint64_t offset_ = 0;  // of the first line that was not given
  std::uint64_t next_ = 0;    // behind the line that is being given
  // Up to here there is nothing new. Of a packed file its mark once all of it was read, else 0.
  std::uint64_t seen_size_ = 0;
  std::int64_t seen_changed_ns_ = 0;
  std::unique_ptr<PackedBytes> packed_;  // of a packed file
  FileMark unpacked_;                    // as it was when unpacking it began
  std::uint64_t long_until_ = 0;         // within a line over the limit: no newline between offset_ and here; 0: not
  std::string long_beginning_;           // of that line
  std::string beginning_;                // min(next_, kTailPrefixBytes) bytes
  std::uint64_t prefix_ = 0;             // of `beginning_`, when prefix_bytes_ is its size
  std::size_t prefix_bytes_ = 0;
};

}  // namespace stillwatch::gateway
