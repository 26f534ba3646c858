// Fixed-size values in and out of a byte string, for the saved states of this module.
//
// Invariant: a reader that runs out of bytes says so and never reads past them. Threads: plain values.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace stillwatch::intake {

class ByteWriter {
 public:
  template <class Value>
  void put(const Value& value) {
    static_assert(std::is_arithmetic_v<Value>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_text(std::string_view text) {
    put<std::uint64_t>(text.size());
    bytes_.append(text);
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}
  template <class Value>
  Value take() {
    static_assert(std::is_arithmetic_v<Value>);
    Value value{};
    if (left_.size() < sizeof value) return fail_(), value;
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view take_text() {
    const auto size = take<std::uint64_t>();
    if (size > left_.size()) return fail_(), std::string_view{};
    const std::string_view text = left_.substr(0, static_cast<std::size_t>(size));
    left_.remove_prefix(text.size());
    return text;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return left_.empty(); }
  /// A count of things of at least `bytes_each`: never more than the bytes that are left can hold.
  std::size_t take_count(std::size_t bytes_each) {
    const auto count = take<std::uint64_t>();
    if (count > left_.size() / bytes_each) return fail_(), std::size_t{0};
    return static_cast<std::size_t>(count);
  }

 private:
  void fail_() {
    ok_ = false;
    left_ = {};
  }
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace stillwatch::intake
