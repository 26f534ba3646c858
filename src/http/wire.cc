#include "http/wire.h"

#include <cstring>

namespace stillwatch::http {

void Wire::drop_buffer() {
  if (block_ && capacity_ == kBlockBytes) transport_.loop().give_block(std::move(block_));
  block_.reset();
  capacity_ = begin_ = end_ = 0;
}

void Wire::make_room(std::size_t bytes_max) {
  if (begin_ == end_ && capacity_ > kBlockBytes) drop_buffer();  // a large head has been dealt with
  if (!block_) {
    block_ = transport_.loop().take_block();
    capacity_ = kBlockBytes;
    begin_ = end_ = 0;
  }
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ < capacity_) return;
  if (begin_ > 0) {
    std::memmove(block_.get(), block_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    return;
  }
  const std::size_t wanted = std::max(bytes_max + 1, capacity_ * 2);
  Block larger(new char[wanted]);
  std::memcpy(larger.get(), block_.get(), end_);
  const std::size_t end = end_;
  drop_buffer();
  block_ = std::move(larger);
  capacity_ = wanted;
  end_ = end;
}

Task<IoRead> Wire::fill(std::size_t bytes_max) {
  for (;;) {
    make_room(bytes_max);
    const bool empty = begin_ == end_;
    const IoRead read = co_await transport_.read_some(block_.get() + end_, capacity_ - end_, empty);
    if (read.io == Io::hibernated) {
      drop_buffer();
      const Io io = co_await transport_.wait_readable();
      if (io != Io::ok) co_return IoRead{io, 0};
      continue;
    }
    if (read.io == Io::ok) {
      end_ += read.count;
      bytes_in_ += read.count;
    }
    co_return read;
  }
}

}  // namespace stillwatch::http
