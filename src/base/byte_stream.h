// Plain bytes in and out for snapshots: fixed-width little-endian values, in the order they are written; a struct is
// its members one after the other.
//
// Invariant: equal values have equal bytes (but for floats that compare equal and differ: 0 and -0), because what lies
// between members in memory is not written. A reader never reads past its bytes; once it has failed, every further get
// yields zero and ok() stays false, so a damaged snapshot ends in one check.
// Threads: one user each. Cost: a memcpy a value, or a member where a struct has gaps.
#pragma once

#include <array>
#include <bit>
#include <boost/pfr/core.hpp>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace stillwatch::base {

static_assert(std::endian::native == std::endian::little, "snapshots are little-endian");

/// How values of a type are written. Structs show their members by themselves, classes with private members by a
/// function members() that ties all of them, in both forms, const and not.
namespace packing {

template <class T>
struct IsArray : std::false_type {};
template <class T, std::size_t N>
struct IsArray<std::array<T, N>> : std::true_type {};

template <class T>
concept ShowsMembers = requires(T& value) {
  value.members();
};

template <class T>
constexpr bool kIsScalar = std::is_arithmetic_v<T> || std::is_enum_v<T> || std::has_unique_object_representations_v<T>;

/// Calls visit with each member of a struct or element of an array.
template <class T, class Visit>
void for_each_part(T& value, const Visit& visit) {
  using Value = std::remove_const_t<T>;
  if constexpr (IsArray<Value>::value) {
    for (auto& element : value) visit(element);
  } else if constexpr (ShowsMembers<T>) {
    std::apply([&](auto&... members) { (visit(members), ...); }, value.members());
  } else {
    boost::pfr::for_each_field(value, visit);
  }
}

template <class T>
constexpr std::size_t bytes_of();

template <class Tuple, std::size_t... I>
constexpr std::size_t bytes_of_all(std::index_sequence<I...> /*of all*/) {
  return (std::size_t{0} + ... + bytes_of<std::remove_cvref_t<std::tuple_element_t<I, Tuple>>>());
}

/// Bytes of a value as it is written.
template <class T>
constexpr std::size_t bytes_of() {
  if constexpr (kIsScalar<T>) {
    return sizeof(T);
  } else if constexpr (IsArray<T>::value) {
    return std::tuple_size_v<T> * bytes_of<typename T::value_type>();
  } else if constexpr (ShowsMembers<T>) {
    using Members = decltype(std::declval<T&>().members());
    return bytes_of_all<Members>(std::make_index_sequence<std::tuple_size_v<Members>>());
  } else {
    using Members = decltype(boost::pfr::structure_to_tuple(std::declval<T&>()));
    return bytes_of_all<Members>(std::make_index_sequence<std::tuple_size_v<Members>>());
  }
}

template <class T>
constexpr bool kHasGaps = bytes_of<T>() != sizeof(T);

template <class T>
char* pack(const T& value, char* out) {
  if constexpr (!kHasGaps<T>) {
    std::memcpy(out, &value, sizeof value);
    return out + sizeof value;
  } else {
    for_each_part(value, [&out](const auto& part) { out = pack(part, out); });
    return out;
  }
}

template <class T>
const char* unpack(const char* from, T& value) {
  if constexpr (!kHasGaps<T>) {
    std::memcpy(static_cast<void*>(&value), from, sizeof value);
    return from + sizeof value;
  } else {
    for_each_part(value, [&from](auto& part) { from = unpack(from, part); });
    return from;
  }
}

}  // namespace packing

class ByteWriter {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    packing::pack(value, grown(packing::bytes_of<T>()));
  }
  void put_bytes(std::string_view bytes) {
    put<std::uint64_t>(bytes.size());
    bytes_.append(bytes);
  }
  template <class T>
  void put_all(const std::vector<T>& values) {
    static_assert(std::is_trivially_copyable_v<T>);
    constexpr std::size_t kBytes = packing::bytes_of<T>();
    put<std::uint64_t>(values.size() * kBytes);
    if constexpr (packing::kHasGaps<T>) {
      char* out = grown(values.size() * kBytes);
      for (const T& value : values) out = packing::pack(value, out);
    } else if (!values.empty()) {
      bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * kBytes);
    }
  }
  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  char* grown(std::size_t size) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + size);
    return bytes_.data() + at;
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
    if (take(packing::bytes_of<T>())) packing::unpack(taken_.data(), value);
    return value;
  }
  std::string_view get_bytes() {
    const auto size = get<std::uint64_t>();
    return take(size) ? taken_ : std::string_view{};
  }
  template <class T>
  std::vector<T> get_all() {
    static_assert(std::is_trivially_copyable_v<T>);
    constexpr std::size_t kBytes = packing::bytes_of<T>();
    const std::string_view bytes = get_bytes();
    ok_ &= bytes.size() % kBytes == 0;
    std::vector<T> values(bytes.size() / kBytes);
    const char* from = bytes.data();
    if constexpr (packing::kHasGaps<T>) {
      for (T& value : values) from = packing::unpack(from, value);
    } else if (!values.empty()) {
      std::memcpy(static_cast<void*>(values.data()), from, values.size() * kBytes);
    }
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
