// Layer L0: raw text of one request in, a Fingerprint of keyed tokens and bounded features out.
//
// The caller (intake) names the turns in order and hands their text; nothing raw is kept after finish().
// Invariant: same turns, same secret -> same fingerprint. Text split over several add_text calls of one
// turn equals the joined text.
// Threads: one Fingerprinter a thread; it owns reused buffers, so the steady state does not allocate.
// Which hash where: tokens that link accounts (prompt, conversation, templates, system, tools ...) are SipHash
// over canonical bytes, so nobody without the secret can make two texts meet. Word hashes inside (masking.h)
// are a faster keyed hash that feeds MinHash, SimHash and coverage only, where a collision merely blurs.
// Cost (2.6 GHz, one core): 3 us for 300 bytes, 6 us for 800, 29 us for 10 KB, 150 us for 400 KB, of which
// one SipHash of the text is two thirds. Head, tail and a bounded sample of the middle are read closely.
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
  /// UTF-8 text of the current turn, unescaped; a user turn opens by itself when none is open. Of a turn (of all
  /// system turns together) at most limits::kTurnBytesMax bytes are read. Invalid UTF-8 is hashed as bytes and never
  /// read past its end.
  void add_text(std::string_view text);
  /// An image, file or audio part of the current turn: kind and size only.
  void add_other_part(std::string_view kind, std::size_t bytes);
  /// Raw JSON of the tool definitions, and of the required output schema.
  void set_tools(std::string_view raw_json);
  void set_schema(std::string_view raw_json);
  void set_parameters(const Parameters& parameters);
  /// What the model answered, where that is logged; before the turns. Of several choices the joined text. Only then are
  /// passages looked for, of the prompt too: a log without answers has nothing that a prompt could quote.
  void set_reply(std::string_view text);
  /// A request that ends with an assistant turn (prefill) has the conversation before it: what its continuation
  /// will carry as a prefix. Consecutive assistant turns are one reply.
  event::Fingerprint finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::text
