#include "text/fingerprint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "base/assert.h"
#include "base/limits.h"
#include "base/random.h"
#include "sketch/one_permutation_minhash.h"
#include "sketch/simhash.h"
#include "text/language.h"
#include "text/masking.h"
#include "text/normal_form.h"
#include "text/passages.h"
#include "text/scores.h"
#include "text/templates.h"

namespace stillwatch::text {
namespace {

using base::Token;
using crypto::Domain;

constexpr std::size_t kWholeBytesMax = MaskedText::kBytesMax;  // longer turns are read as head, tail and samples
constexpr std::size_t kBoundaryBytesMax = 64;                  // how far a region's end moves to meet a blank
constexpr std::size_t kSampleBytes = 48;                       // a sampled window: room for three words
constexpr std::uint64_t kAnchorMask = 0x1FFULL << 55;          // one byte in 512 is an anchor
constexpr std::size_t kSimhashWords = 64;           // words of the head and of the tail that the SimHashes see
constexpr std::size_t kBufferBytesKept = 1U << 20;  // a buffer that one huge turn grew beyond this is given back

template <class T>
T saturated(std::uint64_t value) {
  return static_cast<T>(std::min<std::uint64_t>(value, static_cast<std::uint64_t>(static_cast<T>(~T{0}))));
}

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' '; }
bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

/// The first kFingerprintHeadBytes, without a word that the cut would split.
std::string_view head_of(std::string_view text) {
  std::size_t end = base::limits::kFingerprintHeadBytes;
  for (std::size_t back = 0; back < kBoundaryBytesMax; ++back) {
    if (is_blank(text[end - back])) return text.substr(0, end - back);
  }
  while (!starts_code_point(text[end]) && end > base::limits::kFingerprintHeadBytes - 4) --end;
  return text.substr(0, end);
}

std::string_view tail_of(std::string_view text) {
  std::size_t begin = text.size() - base::limits::kFingerprintTailBytes;
  for (std::size_t forward = 0; forward < kBoundaryBytesMax; ++forward) {
    if (is_blank(text[begin + forward])) return text.substr(begin + forward);
  }
  for (int i = 0; i < 3 && !starts_code_point(text[begin]); ++i) ++begin;
  return text.substr(begin);
}

double canonical(double value) { return std::isnan(value) ? -1 : value == 0 ? 0 : value; }

}  // namespace

struct Fingerprinter::State {
  /// The conversation up to some turn.
  struct Standing {
    Token chain = 0;                 // over all turns but system ones
    std::uint64_t bytes = 0;         // of text
    std::uint64_t spoken_bytes = 0;  // of user and assistant text
    bool replied = false;
    std::array<Token, event::Fingerprint::kPrefixesMax> prefixes{};
    std::uint64_t prefix_bytes = 0;
    bool prefix_has_reply = false;
  };

  explicit State(const crypto::KeyedHash& hash)
      : keyed_hash(hash),
        sketch_key{hash(Domain::shingle, "word low"), hash(Domain::shingle, "word high"),
                   hash(Domain::shingle, "word last")},
        masked(sketch_key),
        sample(sketch_key),
        quoted(hash),
        reply(hash) {
    const std::uint64_t anchor_key = hash(Domain::shingle, "anchor");
    for (std::size_t i = 0; i < gear.size(); ++i) gear[i] = base::mix64(anchor_key + i);
    for (std::string* buffer : {&turn, &last_user, &system, &scratch}) buffer->reserve(1U << 16);
  }

  void close_turn();
  Token hash_text(std::string_view text);
  Token hash_without_spaces(Domain domain, std::string_view text);
  void read_prompt(std::string_view text, event::Fingerprint& out);
  void read_words(event::Fingerprint& out);
  void sample_middle(std::string_view middle);
  void sample_at(std::string_view window);
  // Word hashes are uniform under the secret, so their rotated sum is a uniform token that knows their order.
  void shingle(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    minhash.add(a + std::rotl(b, 21) + std::rotl(c, 42));
  }

  crypto::KeyedHash keyed_hash;
  WordHashKey sketch_key;
  std::array<std::uint64_t, 256> gear;

  // The request so far.
  bool open = false, in_reply = false, has_user = false, answered = false;
  Role role = Role::user;
  std::string turn, last_user, system, scratch;
  Token last_user_hash = 0;
  std::uint64_t turn_other = 0;  // digest of the open turn's other parts
  Standing now, before_reply;    // before_reply: when the current run of assistant turns began
  std::uint64_t user_turns = 0, parts_other = 0;
  Token tools = 0, schema = 0, params = 0;

  // Reused by read_prompt.
  MaskedText masked, sample;
  TemplateMaker templates;
  sketch::OnePermutationMinhash minhash;
  std::uint64_t order_least = 0;  // of the words of content, see MaskedText
  std::size_t samples = 0;
  Passages quoted, reply;  // of the last user turn; of the reply, but for what the request itself brought
};

Fingerprinter::Fingerprinter(const crypto::KeyedHash& keyed_hash) : state_(std::make_unique<State>(keyed_hash)) {}
Fingerprinter::~Fingerprinter() = default;

void Fingerprinter::begin() {
  State& s = *state_;
  for (std::string* buffer : {&s.turn, &s.last_user, &s.system, &s.scratch}) {
    buffer->clear();
    if (buffer->capacity() > kBufferBytesKept) std::string().swap(*buffer);
  }
  s.open = s.in_reply = s.has_user = s.answered = false;
  s.turn_other = s.user_turns = s.parts_other = 0;
  s.now = s.before_reply = {};
  s.tools = s.schema = s.params = 0;
  s.reply.clear();
}

void Fingerprinter::begin_turn(Role role) {
  State& s = *state_;
  s.close_turn();
  s.open = true;
  s.role = role;
  s.turn.clear();
  s.turn_other = 0;
  if (role == Role::system) return;  // no part of the conversation, and ends no reply
  if (role == Role::user) ++s.user_turns;
  if (role == Role::assistant && !s.in_reply) {
    // An earlier request that got the reply that begins here had `now` as its conversation.
    s.before_reply = s.now;
    std::copy_backward(s.now.prefixes.begin(), s.now.prefixes.end() - 1, s.now.prefixes.end());
    s.now.prefixes.front() = s.now.chain;
    s.now.prefix_bytes = s.now.spoken_bytes;
    s.now.prefix_has_reply = s.now.replied;
  }
  s.in_reply = role == Role::assistant;
}

void Fingerprinter::add_text(std::string_view text) {
  State& s = *state_;
  if (!s.open) begin_turn(Role::user);
  std::string& target = s.role == Role::system ? s.system : s.turn;
  target.append(text.substr(0, base::limits::kTurnBytesMax - std::min(target.size(), base::limits::kTurnBytesMax)));
}

void Fingerprinter::add_other_part(std::string_view kind, std::size_t bytes) {
  State& s = *state_;
  if (!s.open) begin_turn(Role::user);
  ++s.parts_other;
  const std::array<std::uint64_t, 3> words{s.turn_other, s.keyed_hash(Domain::turn, kind), bytes};
  s.turn_other = s.keyed_hash(Domain::turn, words);
}

void Fingerprinter::set_tools(std::string_view raw_json) {
  state_->tools = state_->hash_without_spaces(Domain::tools, raw_json);
}
void Fingerprinter::set_schema(std::string_view raw_json) {
  state_->schema = state_->hash_without_spaces(Domain::schema, raw_json);
}

void Fingerprinter::set_reply(std::string_view text) {
  state_->answered = true;
  state_->reply.read(text);
}

void Fingerprinter::set_parameters(const Parameters& parameters) {
  const std::array<std::uint64_t, 6> words{std::bit_cast<std::uint64_t>(canonical(parameters.temperature)),
                                           std::bit_cast<std::uint64_t>(canonical(parameters.top_p)),
                                           static_cast<std::uint64_t>(parameters.output_tokens_max),
                                           static_cast<std::uint64_t>(parameters.thinking_budget),
                                           static_cast<std::uint64_t>(static_cast<std::int64_t>(parameters.n)),
                                           (parameters.stream ? 1U : 0U) | (parameters.logprobs ? 2U : 0U)};
  const std::uint64_t absent = std::bit_cast<std::uint64_t>(-1.0), none = ~std::uint64_t{0};
  const std::array<std::uint64_t, 6> nothing{absent, absent, none, none, none, 0};
  state_->params = words == nothing ? 0 : state_->keyed_hash(Domain::params, words);
}

Token Fingerprinter::State::hash_without_spaces(Domain domain, std::string_view text) {
  scratch.resize(text.size());
  const std::size_t length = drop_spaces(text, scratch.data());
  return length == 0 ? 0 : keyed_hash(domain, std::string_view(scratch.data(), length));
}

// Turns that are read whole are hashed folded; longer ones as their bytes, for one pass less.
Token Fingerprinter::State::hash_text(std::string_view text) {
  const std::string_view whole = trimmed(text);
  if (whole.empty()) return 0;
  if (whole.size() > kWholeBytesMax) return keyed_hash(Domain::turn, whole);
  scratch.resize(whole.size());
  return keyed_hash(Domain::turn, std::string_view(scratch.data(), fold_spaces(whole, scratch.data())));
}

void Fingerprinter::State::close_turn() {
  if (!open) return;
  open = false;
  // What the request itself brought is not the model's text. The last user turn is read in finish().
  if (role == Role::system || role == Role::tool) reply.drop_shared(role == Role::system ? system : turn);
  if (role == Role::user && has_user) reply.drop_shared(last_user);
  if (role == Role::system) return;
  const Token text_hash = hash_text(turn);
  const Token turn_hash =
      turn_other == 0 ? text_hash : keyed_hash(Domain::turn, std::array<std::uint64_t, 2>{text_hash, turn_other});
  const std::array<std::uint64_t, 3> link{now.chain, static_cast<std::uint64_t>(role), turn_hash};
  now.chain = keyed_hash(Domain::conversation, link);
  now.bytes += turn.size();
  if (role == Role::user || role == Role::assistant) now.spoken_bytes += turn.size();
  if (role == Role::assistant) now.replied = true;
  if (role == Role::user) {
    has_user = true;
    last_user_hash = text_hash;
    last_user.swap(turn);
  }
}

event::Fingerprint Fingerprinter::finish() {
  State& s = *state_;
  s.close_turn();
  // A request may end with the start of a reply (prefill). Its continuation will carry that reply whole, so
  // the conversation is what stood before it, as if the model had been asked without the prefill.
  const State::Standing& standing = s.in_reply ? s.before_reply : s.now;
  event::Fingerprint out;
  out.conversation = standing.chain;
  out.conversation_bytes = saturated<std::uint32_t>(standing.bytes);
  out.prefixes = standing.prefixes;
  out.prefix_bytes = saturated<std::uint32_t>(standing.prefix_bytes);
  out.prefix_has_reply = standing.prefix_has_reply;
  out.system = s.hash_without_spaces(Domain::system, s.system);
  out.tools = s.tools;
  out.schema = s.schema;
  out.params = s.params;
  out.turns = saturated<std::uint16_t>(s.user_turns);
  out.parts_other = saturated<std::uint16_t>(s.parts_other);
  if (s.has_user) s.read_prompt(s.last_user, out);
  s.reply.spread(out.replies.size());
  for (std::size_t i = 0; i < s.reply.count(); ++i) out.replies[i] = s.reply.token(i);
  return out;
}

void Fingerprinter::State::read_prompt(std::string_view text, event::Fingerprint& out) {
  out.prompt_bytes = saturated<std::uint32_t>(text.size());
  const std::string_view whole = trimmed(text);
  if (whole.empty()) return;
  out.prompt = keyed_hash(Domain::prompt, std::array<std::uint64_t, 1>{last_user_hash});
  masked.clear();
  minhash.clear();
  samples = 0;
  order_least = MaskedText::kNoContent;
  if (whole.size() <= kWholeBytesMax) {
    masked.add(whole, false, false);
  } else {
    const std::string_view head = head_of(whole), tail = tail_of(whole);
    masked.add(head, false, true);
    masked.add_cut();
    masked.add(tail, true, false);
    sample_middle(whole.substr(head.size(), whole.size() - head.size() - tail.size()));
  }
  out.templates = templates.make(keyed_hash, masked);
  read_words(out);
  if (answered) {
    quoted.read(whole);
    reply.drop_shared(quoted);
    quoted.spread(out.quotes.size());
    for (std::size_t i = 0; i < quoted.count(); ++i) out.quotes[i] = quoted.token(i);
  }
  out.language = language_of(masked);
}

void Fingerprinter::State::read_words(event::Fingerprint& out) {
  const std::span<const std::uint64_t> hashes = masked.hashes();
  const auto shingles = [&](std::span<const std::uint64_t> run) {
    for (std::size_t i = 2; i < run.size(); ++i) shingle(run[i - 2], run[i - 1], run[i]);
  };
  const std::size_t cut = masked.has_cut() ? masked.words_before_cut() : 0;
  shingles(hashes.first(cut));
  shingles(hashes.subspan(cut));
  if (hashes.size() == 1) shingle(0, hashes[0], 0);
  if (hashes.size() == 2) shingle(hashes[0], hashes[1], 0);
  const std::size_t seen = std::min(hashes.size(), kSimhashWords);
  out.simhash_head = sketch::simhash_of(hashes.first(seen));
  out.simhash_tail = hashes.size() > seen ? sketch::simhash_of(hashes.last(seen)) : out.simhash_head;
  out.minhash = minhash.finish();

  ScoreFeatures features = masked.counts();
  features.words = masked.half_words_count() / 2;
  features.labels = templates.labels_count();
  out.template_words = saturated<std::uint8_t>((masked.half_words_count() + 1) / 2);
  out.scores = scores_of(features);
  order_least = std::min(order_least, masked.order_least());
  const bool covered = order_least != MaskedText::kNoContent;
  const std::uint64_t bucket =
      covered ? base::mix64(order_least + sketch_key.high) : base::mix64(out.simhash_head ^ sketch_key.high);
  out.coverage_bucket = static_cast<std::uint16_t>(bucket >> 53);
}

// A sample that depends on content, not on position: a rolling hash of the last 64 bytes picks anchors, and
// the three words after an anchor are one shingle. Two texts that share a passage sample it alike. Only the
// parts of the middle next to head and tail are scanned, so the cost stays bounded.
void Fingerprinter::State::sample_middle(std::string_view middle) {
  const std::size_t half_max = base::limits::kFingerprintMiddleBytes / 2;
  const auto scan = [&](std::string_view part, std::size_t samples_max) {
    std::uint64_t rolling = 0;
    for (std::size_t i = 0; i < part.size() && samples < samples_max; ++i) {
      rolling = (rolling << 1) + gear[static_cast<unsigned char>(part[i])];
      if ((rolling & kAnchorMask) != 0 || i < 64) continue;
      sample_at(part.substr(i + 1, kSampleBytes + kBoundaryBytesMax));
    }
  };
  if (middle.size() <= 2 * half_max) return scan(middle, base::limits::kFingerprintSamplesMax);
  scan(middle.substr(0, half_max), base::limits::kFingerprintSamplesMax / 2);
  scan(middle.substr(middle.size() - half_max), base::limits::kFingerprintSamplesMax);
}

void Fingerprinter::State::sample_at(std::string_view window) {
  std::size_t begin = 0;
  while (begin < std::min(window.size(), kBoundaryBytesMax) && !is_blank(window[begin])) ++begin;
  if (begin == std::min(window.size(), kBoundaryBytesMax)) {
    for (begin = 0; begin < window.size() && !starts_code_point(window[begin]);) ++begin;
  }
  sample.clear();
  sample.add(window.substr(begin, kSampleBytes), false, false);
  const std::span<const std::uint64_t> hashes = sample.hashes();
  for (std::size_t i = 0, words = 0; i < sample.count() && words < 3; ++i) {
    if (!is_wordlike(sample[i].kind)) continue;
    ++words;
    order_least = std::min(order_least, sample.order_of(sample[i]));
  }
  if (hashes.size() < 3) return;
  ++samples;
  shingle(hashes[0], hashes[1], hashes[2]);
}

}  // namespace stillwatch::text
