// One request as the log will show it, and the writer of its line (docs/reference/formats.md).
//
// Invariant: every text in a Draft is JSON-escaped already; the writer copies. Lines hold no hint of who is
// hostile: ids of records and accounts are bijections of counters. Threads: one writer each. Cost: one copy of the
// text.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace stillwatch::sim {

enum class Dialect : std::uint8_t { openai_chat, openai_responses, anthropic_messages, text };

/// Bytes that grow by doubling and are cut at the end only.
class ByteBuffer {
 public:
  char* reserve(std::size_t bytes) {
    if (size_ + bytes > bytes_.size()) bytes_.resize((size_ + bytes) * 2);
    return bytes_.data() + size_;
  }
  void commit(const char* end) { size_ = static_cast<std::size_t>(end - bytes_.data()); }
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    char* out = reserve(bytes.size());
    std::memcpy(out, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void cut(std::size_t size) { size_ = size; }
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  std::string_view view(std::size_t offset, std::size_t length) const { return {bytes_.data() + offset, length}; }

 private:
  std::vector<char> bytes_;
  std::size_t size_ = 0;
};

struct Draft {
  std::int64_t time_us = 0;
  std::int64_t duration_us = 1'000'000;
  std::int64_t ttft_us = 300'000;
  std::uint64_t account = 0;   // number of the account; see account_text
  std::uint64_t key = 0;       // 0: none shown
  std::uint64_t end_user = 0;  // 0: none
  bool end_user_in_body = false;
  std::uint32_t address = 0;
  std::uint32_t asn = 0;
  std::string_view country;
  std::string_view client;  // Clients::fragment
  Dialect dialect = Dialect::openai_chat;
  std::string_view model;
  std::string_view system;
  std::string_view tools;    // the whole JSON array, empty for none
  std::string_view params;   // `,"temperature":1` and so on, may be empty
  std::string_view history;  // rendered messages, each followed by a comma
  std::string_view prompt;
  std::string_view reply;  // for response.body; empty: none
  std::uint16_t status = 200;
  std::string_view stop = "stop";
  std::uint32_t output_tokens = 0, reasoning_tokens = 0, cached_tokens = 0;
  bool hostile = false;
};

inline constexpr std::size_t kAccountTextBytes = 21;  // "acct_" and 16 hex digits

/// Names derived from counters under the world's seed.
class Names {
 public:
  explicit constexpr Names(std::uint64_t seed) : salt_(base::mix64(seed + 0xA11CE) | 1) {}
  constexpr std::uint64_t account(std::uint64_t number) const {
    return base::mix64(number * 2 + 1 + salt_ * 0x9E3779B97F4A7C15ULL);
  }
  constexpr std::uint64_t record(std::uint64_t counter) const { return base::mix64(counter ^ base::mix64(salt_)); }
  constexpr std::uint64_t derived(std::uint64_t number, std::uint64_t kind) const {
    return base::mix64(base::mix64(number ^ salt_) + kind);
  }

 private:
  std::uint64_t salt_;
};

/// Sixteen hex digits.
char* write_hex(std::uint64_t value, char* out);
void append_hex(std::uint64_t value, std::size_t digits, std::string& out);

/// Appends a query line (with newline) for the draft.
void write_query(const Draft& draft, const Names& names, std::uint64_t record, ByteBuffer& out);
/// Appends the line of queries_truth.ndjson.
void write_query_truth(const Draft& draft, const Names& names, std::uint64_t record, ByteBuffer& out);

}  // namespace stillwatch::sim
