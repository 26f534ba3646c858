// The body of a request, in any of the dialects, read into a fingerprint.
//
// Invariant: the order of the fields of an object makes no difference; of a repeated key the last one
// counts, as in the JSON readers of the providers' servers (a key repeated on purpose hides nothing).
// Text goes to the fingerprinter and no further; parts that are not text count by kind and size.
// Threads: one a thread; reused buffers, so the steady state does not allocate.
// Cost: one simdjson pass (a second one over odd field orders) + the fingerprint. Spec: docs/reference/log-formats.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "crypto/keyed_hash.h"
#include "event/query.h"
#include "intake/reject.h"

namespace stillwatch::intake {

/// Bytes that must be readable behind every JSON text given to a reader of this module.
inline constexpr std::size_t kJsonPadding = 64;

struct Body {
  event::Token model = 0;
  event::Token end_user = 0;
  std::string_view model_name, end_user_name;  // until the next begin()
  bool sampled_many = false;                   // n > 1
  event::Fingerprint fingerprint;
};

std::optional<event::Dialect> dialect_of(std::string_view name);

class BodyReader {
 public:
  explicit BodyReader(const crypto::KeyedHash& keyed_hash);
  ~BodyReader();

  /// A whole body: begin(), read_fields(), finish(). `json` is an object with kJsonPadding readable bytes behind it.
  /// `response_json` is the body of the answer or empty; it is never a reason to refuse.
  std::optional<Refusal> read(event::Dialect dialect, std::string_view json, Body& out,
                              std::string_view response_json = {});

  /// The same in steps, for records that spread a body over several fields.
  void begin();
  /// The body of the answer, where it is logged; after begin(), before the fields of the request.
  void read_reply(event::Dialect dialect, std::string_view response_json);
  std::optional<Refusal> read_fields(event::Dialect dialect, std::string_view json);
  /// Messages (an array), a whole body (an object) or one user turn (a string).
  std::optional<Refusal> read_turns(event::Dialect dialect, std::string_view json);
  void add_user_text(std::string_view text);
  void set_model(std::string_view name);
  void finish(Body& out);

  /// Turns left out because a conversation had more than limits::kMessagesMax (the newest are read).
  std::uint64_t turns_ignored() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
