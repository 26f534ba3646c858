#include "text/fingerprint_codec.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <fmt/format.h>

#include "base/assert.h"

namespace stillwatch::text {
namespace {

// One list of the fields, in byte order, for both directions: they cannot drift apart.
template <class F, class Visit>
void each_field(F& f, Visit visit) {
  visit(f.prompt), visit(f.conversation);
  for (auto& token : f.prefixes) visit(token);
  for (auto& token : f.templates) visit(token);
  visit(f.system), visit(f.tools), visit(f.params), visit(f.schema);
  visit(f.simhash_head), visit(f.simhash_tail);
  for (auto& bin : f.minhash) visit(bin);
  for (auto& score : f.scores) visit(score);
  visit(f.prompt_bytes), visit(f.conversation_bytes), visit(f.prefix_bytes);
  visit(f.turns), visit(f.parts_other);
  visit(f.template_words), visit(f.coverage_bucket);
}

bool has_passages(const event::Fingerprint& f) {
  const auto is_there = [](base::Token token) { return token != 0; };
  return std::any_of(f.quotes.begin(), f.quotes.end(), is_there) ||
         std::any_of(f.replies.begin(), f.replies.end(), is_there);
}

template <class F, class Visit>
void each_passage(F& f, Visit visit) {
  for (auto& token : f.quotes) visit(token);
  for (auto& token : f.replies) visit(token);
}

constexpr std::size_t kBytesFirst =  // version 1
    1 + 8 * (2 + event::Fingerprint::kPrefixesMax + event::Fingerprint::kTemplatesMax + 4 + 2) +
    event::Fingerprint::kMinhashBins + event::Fingerprint::kScores + 3 * 4 + 2 * 2 + 1 + 2 + 1;
constexpr std::size_t kBytesSecond = kBytesFirst + 1;  // and the language
constexpr std::size_t kPassages = event::Fingerprint::kQuotesMax + event::Fingerprint::kRepliesMax;
constexpr std::size_t kBytes = kBytesSecond + 8 * kPassages;  // and passages
constexpr std::uint16_t kCoverageBuckets = 2'048;

}  // namespace

std::vector<std::uint8_t> encode(const event::Fingerprint& fingerprint) {
  const bool passages = has_passages(fingerprint);
  std::vector<std::uint8_t> bytes(passages ? kBytes : kBytesSecond);
  std::uint8_t* at = bytes.data();
  *at++ = passages ? 3 : 2;
  const auto put = [&](auto field) {
    const auto value = static_cast<std::make_unsigned_t<decltype(field)>>(field);
    for (std::size_t i = 0; i < sizeof value; ++i) *at++ = static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * i));
  };
  each_field(fingerprint, put);
  *at++ = fingerprint.prefix_has_reply ? 1 : 0;
  *at++ = static_cast<std::uint8_t>(fingerprint.language);
  if (passages) each_passage(fingerprint, put);
  STILLWATCH_ASSERT(at == bytes.data() + bytes.size());
  return bytes;
}

base::Result<event::Fingerprint> decode(std::span<const std::uint8_t> bytes) {
  if (bytes.empty() || bytes[0] < kFingerprintVersionRead || bytes[0] > kFingerprintVersion) {
    return base::fail(base::Fault::input,
                      fmt::format("the fingerprint is of version {}, this program reads versions {} to {}; use the "
                                  "program that wrote the log, or a newer one",
                                  bytes.empty() ? 0 : bytes[0], kFingerprintVersionRead, kFingerprintVersion));
  }
  const std::size_t expected = bytes[0] == 1 ? kBytesFirst : bytes[0] == 2 ? kBytesSecond : kBytes;
  if (bytes.size() != expected) {
    return base::fail(base::Fault::input,
                      fmt::format("the fingerprint has {} bytes and must have {}; the record was cut or altered, "
                                  "take it from its source again",
                                  bytes.size(), expected));
  }
  event::Fingerprint fingerprint;
  const std::uint8_t* at = bytes.data() + 1;
  const auto get = [&](auto& field) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof field; ++i) value |= std::uint64_t{*at++} << (8 * i);
    field = static_cast<std::remove_reference_t<decltype(field)>>(value);
  };
  each_field(fingerprint, get);
  const std::uint8_t language = bytes[0] == 1 ? 0 : at[1];
  if (*at > 1 || fingerprint.coverage_bucket >= kCoverageBuckets || language >= event::kLanguages) {
    return base::fail(base::Fault::input,
                      "the fingerprint has a field out of its range; the record was altered, take it from its source "
                      "again");
  }
  fingerprint.prefix_has_reply = *at == 1;
  fingerprint.language = static_cast<event::Language>(language);
  if (bytes[0] < 3) return fingerprint;
  at += 2;
  each_passage(fingerprint, get);
  if (!has_passages(fingerprint)) {
    return base::fail(
        base::Fault::input,
        "the fingerprint has none of the passages that its version is for; the record was altered, take it "
        "from its source again");
  }
  return fingerprint;
}

}  // namespace stillwatch::text
