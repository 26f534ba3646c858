#include "base/byte_stream.h"

#include <gtest/gtest.h>

#include <new>

namespace stillwatch::base {
namespace {

class Hidden {
 public:
  static Hidden of(std::uint8_t first, double second) {
    Hidden hidden;
    hidden.first_ = first, hidden.second_ = second;
    return hidden;
  }
  auto members() const { return std::tie(first_, second_); }
  auto members() { return std::tie(first_, second_); }
  bool operator==(const Hidden&) const = default;

 private:
  std::uint8_t first_ = 0;
  double second_ = 0;
};

enum class Colour : std::uint16_t { red, green };

struct Inner {
  std::uint8_t small = 0;
  std::uint32_t large = 0;
  bool operator==(const Inner&) const = default;
};

struct Outer {
  bool flag = false;
  std::int64_t number = 0;
  Colour colour = Colour::red;
  std::array<Inner, 3> inner{};
  Hidden hidden;
  float real = 0;
  std::array<std::uint8_t, 100> many{};
  bool operator==(const Outer&) const = default;
};
static_assert(packing::kHasGaps<Outer> && packing::kHasGaps<Inner> && packing::kHasGaps<Hidden>);
static_assert(packing::bytes_of<Outer>() == 1 + 8 + 2 + 3 * (1 + 4) + (1 + 8) + 4 + 100);
static_assert(!packing::kHasGaps<std::array<double, 4>> && packing::bytes_of<std::array<Inner, 2>>() == 10);

Outer sample() {
  Outer outer;
  outer.flag = true, outer.number = -7, outer.colour = Colour::green;
  outer.inner = {{{1, 2}, {3, 4}, {5, 6}}};
  outer.hidden = Hidden::of(9, 2.5);
  outer.real = 0.25F;
  for (std::size_t i = 0; i < outer.many.size(); ++i) outer.many[i] = static_cast<std::uint8_t>(i + 1);
  return outer;
}

// Written where every byte was `before`, member by member, so that the gaps keep it.
std::string bytes_where_memory_was(unsigned char before) {
  alignas(Outer) std::array<unsigned char, sizeof(Outer)> memory{};
  memory.fill(before);
  auto* outer = std::launder(reinterpret_cast<Outer*>(memory.data()));
  const Outer wanted = sample();
  outer->flag = wanted.flag, outer->number = wanted.number, outer->colour = wanted.colour;
  for (std::size_t i = 0; i < wanted.inner.size(); ++i)
    outer->inner[i].small = wanted.inner[i].small, outer->inner[i].large = wanted.inner[i].large;
  std::get<0>(outer->hidden.members()) = 9;
  std::get<1>(outer->hidden.members()) = 2.5;
  outer->real = wanted.real;
  outer->many = wanted.many;
  ByteWriter out;
  out.put(*outer);
  return out.take();
}

TEST(ByteStream, EqualValuesHaveEqualBytesWhateverLiesBetweenTheirMembers) {
  const std::string bytes = bytes_where_memory_was(0);
  EXPECT_EQ(bytes.size(), packing::bytes_of<Outer>());
  for (const unsigned char before : "\x01\x55\xAA\xFF") EXPECT_EQ(bytes_where_memory_was(before), bytes);
}

TEST(ByteStream, ComesBackAsItWas) {
  ByteWriter out;
  out.put(sample());
  out.put_all(std::vector<Outer>{sample(), Outer{}, sample()});
  out.put_all(std::vector<std::uint64_t>{1, 2});
  out.put_all(std::vector<Inner>{});
  out.put_bytes("the end");
  const std::string bytes = out.bytes();
  ByteReader in(bytes);
  EXPECT_EQ(in.get<Outer>(), sample());
  EXPECT_EQ(in.get_all<Outer>(), (std::vector<Outer>{sample(), Outer{}, sample()}));
  EXPECT_EQ(in.get_all<std::uint64_t>(), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(in.get_all<Inner>(), std::vector<Inner>{});
  EXPECT_EQ(in.get_bytes(), "the end");
  EXPECT_TRUE(in.ok() && in.at_end());
}

TEST(ByteStream, WhatWasCutOffIsZeroAndNotOk) {
  ByteWriter out;
  out.put(sample());
  out.put_all(std::vector<Inner>{{1, 2}, {3, 4}});
  const std::string bytes = out.bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader in(std::string_view(bytes).substr(0, size));
    const Outer outer = in.get<Outer>();
    EXPECT_EQ(outer == Outer{}, size < packing::bytes_of<Outer>());
    EXPECT_TRUE(in.get_all<Inner>().empty());
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.get<std::uint64_t>(), 0U);
  }
}

TEST(ByteStream, BytesThatAreNoWholeNumberOfValuesAreRefused) {
  ByteWriter out;
  out.put_bytes("seven b");
  ByteReader in(out.bytes());
  EXPECT_EQ(in.get_all<Inner>().size(), 1U);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace stillwatch::base
