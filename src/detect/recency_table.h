// A fixed-size table that remembers the most recent value of keyed tokens: sets of eight slots, the
// oldest of a set is overwritten.
//
// Invariant: memory never grows after construction; the same sequence of puts gives the same content.
// A look-up can name a wrong value with chance 8 / 2^32 (32-bit tags); tokens are keyed, so nobody can aim.
// Threads: one writer a set; the caller shards by set_of(). Cost: one or two cache lines a look-up.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/assert.h"
#include "base/byte_stream.h"
#include "base/token.h"

namespace stillwatch::detect {

template <class Value>
class RecencyTable {
 public:
  static constexpr std::size_t kWays = 8;

  explicit RecencyTable(std::size_t slots)
      : set_bits_(static_cast<unsigned>(std::bit_width(std::bit_ceil(slots / kWays)) - 1)),
        sets_(
            static_cast<Set*>(std::calloc(std::size_t{1} << set_bits_, sizeof(Set)))) {  // untouched pages cost nothing
    STILLWATCH_ASSERT(slots >= kWays && set_bits_ <= 26 && sets_ != nullptr);
  }

  /// The value last put for the token, or nothing.
  Value* find(base::Token token) {
    Set& set = sets_.get()[index_of(token)];
    const std::uint32_t tag = tag_of(token);
    for (std::size_t way = 0; way < kWays; ++way) {
      if (set.tags[way] == tag) return &set.values[way];
    }
    return nullptr;
  }
  /// Remembers a token that is not in the table; the oldest of its set makes room. True when a live one was
  /// overwritten.
  bool insert(base::Token token, const Value& value) {
    Set& set = sets_.get()[index_of(token)];
    const std::size_t way = set.next++ % kWays;
    const bool overwritten = set.tags[way] != 0;
    set.tags[way] = tag_of(token);
    set.values[way] = value;
    return overwritten;
  }
  void erase(base::Token token) {
    Set& set = sets_.get()[index_of(token)];
    for (auto& tag : set.tags) {
      if (tag == tag_of(token)) tag = 0;
    }
  }

  /// Forgets every value that is `gone`. Pages that were never written stay untouched.
  template <class IsGone>
  void erase_if(IsGone&& is_gone) {
    for (std::size_t i = 0; i < set_count(); ++i) {
      Set& set = sets_.get()[i];
      if (set.next == 0) continue;
      for (std::size_t way = 0; way < kWays; ++way) {
        if (set.tags[way] != 0 && is_gone(set.values[way])) set.tags[way] = 0;
      }
    }
  }

  void save(base::ByteWriter& out) const {
    for (std::size_t i = 0; i < set_count(); ++i) {
      const Set& set = sets_.get()[i];
      if (set.next == 0) continue;
      out.put(static_cast<std::uint32_t>(i));
      out.put(set);
    }
    out.put(~std::uint32_t{0});
  }
  /// False when the bytes do not fit this table's size.
  bool load(base::ByteReader& in) {
    for (;;) {
      const auto i = in.get<std::uint32_t>();
      if (!in.ok()) return false;
      if (i == ~std::uint32_t{0}) return true;
      if (i >= set_count()) return false;
      sets_.get()[i] = in.get<Set>();
    }
  }

 private:
  struct Set {
    std::uint32_t tags[kWays];
    Value values[kWays];
    std::uint32_t next;
  };
  struct Free {
    void operator()(Set* sets) const { std::free(sets); }
  };

  std::size_t set_count() const { return std::size_t{1} << set_bits_; }
  // The top six bits choose the partition (partition.h), the ones below the set, the lowest 32 are the tag.
  std::size_t index_of(base::Token token) const { return token >> (64 - set_bits_); }
  static std::uint32_t tag_of(base::Token token) { return static_cast<std::uint32_t>(token) | 1U; }

  unsigned set_bits_;
  std::unique_ptr<Set, Free> sets_;
};

}  // namespace stillwatch::detect
