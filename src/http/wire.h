// A Transport with an input buffer that exists only while bytes come.
//
// Invariant: buffered() stays where it is until the next fill(); an idle wire holds no buffer.
// Threads: its io_context's. Cost: one 16 KiB block while active, none after ~0.4 s of silence.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/transport.h"

namespace stillwatch::http {

class Wire {
 public:
  explicit Wire(boost::asio::io_context& io) : transport_(io) {}
  ~Wire() { drop_buffer(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  Transport& transport() { return transport_; }
  std::string_view buffered() const { return {block_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t count) { begin_ += count; }

  /// Waits for more bytes behind buffered(). Never full: the caller stops at a head of bytes_max bytes.
  Task<IoRead> fill(std::size_t bytes_max);
  /// Frees the buffer when nothing is in it.
  void drop_if_empty() {
    if (begin_ == end_) drop_buffer();
  }
  /// Bytes that came in since the last call.
  std::size_t take_bytes_in() { return std::exchange(bytes_in_, 0); }

 private:
  void drop_buffer();
  void make_room(std::size_t bytes_max);

  Transport transport_;
  Block block_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0, bytes_in_ = 0;
};

}  // namespace stillwatch::http
