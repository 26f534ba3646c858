// Plain bytes in and out for snapshots: fixed-width little-endian values, in the order they are written.
//
// Invariant: a reader never reads past its bytes; once it has failed, every further get yields zero and
// ok() stays false, so a damaged snapshot ends in one check.
// Threads: one user each. Cost: a memcpy a value.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace stillwatch::base {

static_assert(std::endian::native == std::endian::little, "snapshots are little-endian");

class ByteWriter {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    T copy = value;
    clear_padding(copy);
    bytes_.append(reinterpret_cast<const char*>(&copy), sizeof copy);
  }
  void put_bytes(std::string_view bytes) {
    put<std::uint64_t>(bytes.size());
    bytes_.append(bytes);
  }
  template <class T>
  void put_all(const std::vector<T>& values) {
    put<std::uint64_t>(values.size() * sizeof(T));
    bytes_.reserve(bytes_.size() + values.size() * sizeof(T));
    for (const T& value : values) put(value);
  }
  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  // What lies between members is whatever was in memory before, and would make the bytes of equal values differ. Only
  // of small ones: in larger ones with arrays g++ 12 clears members, too (they name what is between theirs).
  template <class T>
  static void clear_padding([[maybe_unused]] T& value) {
#if __has_builtin(__builtin_clear_padding)
    if constexpr (sizeof(T) <= 64 && !std::has_unique_object_representations_v<T> && std::is_class_v<T>)
      __builtin_clear_padding(&value);
#endif
  }

  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (!take(sizeof value)) return value;
    std::memcpy(&value, taken_.data(), sizeof value);
    return value;
  }
  std::string_view get_bytes() {
    const auto size = get<std::uint64_t>();
    return take(size) ? taken_ : std::string_view{};
  }
  template <class T>
  std::vector<T> get_all() {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::string_view bytes = get_bytes();
    ok_ &= bytes.size() % sizeof(T) == 0;
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(static_cast<void*>(values.data()), bytes.data(), values.size() * sizeof(T));
    return values;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  bool take(std::uint64_t size) {
    ok_ &= size <= rest_.size();
    if (!ok_) return false;
    taken_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_, taken_;
  bool ok_ = true;
};

}  // namespace stillwatch::base
