// Layer L0: raw text of one request in, a Fingerprint of keyed tokens and bounded features out.
//
// The caller (intake) names the turns in order and hands their text; nothing raw is kept after finish().
// Invariant: same turns, same secret -> same fingerprint. Text split over several add_text calls of one
// turn equals the joined text.
// Threads: one Fingerprinter a thread; it owns reused buffers, so the steady state does not allocate.
// Cost: one keyed hash over all text (~0.6 ns a byte) + head, tail and a sample of the middle of the last
// user turn; at most ~5 us for a typical prompt and bounded for 400 KB.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "crypto/keyed_hash.h"
#include "event/query.h"

namespace stillwatch::text {

enum class Role : std::uint8_t { system, user, assistant, tool };

/// The parameter vector: what relays pin. Fields absent in the request stay NaN / 0.
struct Parameters {
  double temperature = -1, top_p = -1;
  std::int64_t output_tokens_max = -1, thinking_budget = -1;
  std::int32_t n = -1;
  bool stream = false, logprobs = false;
};

class Fingerprinter {
 public:
  explicit Fingerprinter(const crypto::KeyedHash& keyed_hash);
  ~Fingerprinter();
  Fingerprinter(const Fingerprinter&) = delete;
  Fingerprinter& operator=(const Fingerprinter&) = delete;

  /// Starts a request; what was given before is dropped.
  void begin();
  /// Starts the next turn, in order. System turns may come anywhere and are kept apart from the conversation.
  void begin_turn(Role role);
  /// UTF-8 text of the current turn, unescaped. Invalid UTF-8 is hashed as bytes and never read past its end.
  void add_text(std::string_view text);
  /// An image, file or audio part of the current turn: kind and size only.
  void add_other_part(std::string_view kind, std::size_t bytes);
  /// Raw JSON of the tool definitions, and of the required output schema.
  void set_tools(std::string_view raw_json);
  void set_schema(std::string_view raw_json);
  void set_parameters(const Parameters& parameters);
  event::Fingerprint finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::text
