#include "gateway/packed_bytes.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stillwatch::gateway {

void PackedBytes::restart() {
  unpacked_.reset();
  std::string().swap(window_);
  head_.clear();
  file_at_ = window_at_ = 0;
  is_ended_ = has_failed_ = false;
}

const intake::StreamDamage* PackedBytes::damage() const { return unpacked_ ? unpacked_->damage() : nullptr; }

void PackedBytes::forget(std::uint64_t until) {
  if (until >= end()) {
    window_at_ = end();
    window_.clear();
  } else if (until - std::min(until, window_at_) > window_.size() / 2) {  // else moving costs more than it gives
    window_.erase(0, static_cast<std::size_t>(until - window_at_));
    window_at_ = until;
  }
}

bool PackedBytes::step() {
  if (!unpacked_) {
    unpacked_.emplace([this](char* out, std::size_t size) -> base::Result<std::size_t> {
      for (;;) {
        const ssize_t got = ::pread(file_, out, size, static_cast<off_t>(file_at_));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return base::fail(base::Fault::environment, std::strerror(errno));
        file_at_ += static_cast<std::uint64_t>(got);
        return static_cast<std::size_t>(got);
      }
    });
  }
  const std::size_t before = window_.size();
  window_.resize(before + kStepBytes);
  const base::Result<std::size_t> made = unpacked_->read(window_.data() + before, kStepBytes);
  window_.resize(before + made.value_or(0));
  if (!made) return false;
  is_ended_ = *made == 0;
  if (head_.size() < kHeadBytes) head_.append(window_, before, kHeadBytes - head_.size());
  return true;
}

std::string_view PackedBytes::head() {
  while (head_.size() < kHeadBytes && !is_ended_ && !has_failed_) has_failed_ = !step();
  return head_;
}

bool PackedBytes::advance(std::uint64_t at, std::uint64_t bytes_max) {
  if (at < window_at_) restart();
  const std::uint64_t from = end();
  while (end() < at && !is_ended_ && !has_failed_) {
    if (end() - from >= bytes_max) return false;
    forget(at);
    has_failed_ = !step();
  }
  return true;
}

bool PackedBytes::read_at(char* out, std::size_t size, std::uint64_t at, std::size_t& count) {
  count = 0;
  if (at + size <= head_.size()) {
    std::memcpy(out, head_.data() + at, size);
    count = size;
    return true;
  }
  if (at < window_at_) restart();
  while (end() < at + size && !is_ended_ && !has_failed_) {
    forget(std::min(keep_from_, at));
    has_failed_ = !step();
  }
  if (has_failed_) return false;
  if (end() <= at) return true;
  count = static_cast<std::size_t>(std::min<std::uint64_t>(size, end() - at));
  std::memcpy(out, window_.data() + (at - window_at_), count);
  return true;
}

}  // namespace stillwatch::gateway
