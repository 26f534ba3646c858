#include "intake/body_reader.h"

#include <array>
#include <string>

#include "intake/json_value.h"
#include "intake/parameter_reader.h"
#include "intake/reply_reader.h"
#include "intake/turn_reader.h"
#include "text/fingerprint.h"

namespace stillwatch::intake {

using event::Dialect;

std::optional<Dialect> dialect_of(std::string_view name) {
  if (name == "openai.chat") return Dialect::openai_chat;
  if (name == "openai.responses") return Dialect::openai_responses;
  if (name == "anthropic.messages") return Dialect::anthropic_messages;
  if (name == "text") return Dialect::text;
  return std::nullopt;
}

struct BodyReader::State {
  explicit State(const crypto::KeyedHash& keyed_hash)
      : fingerprinter(keyed_hash), turns(json, fingerprinter), parameters(json, keyed_hash, fingerprinter) {}

  JsonReader json;
  text::Fingerprinter fingerprinter;
  TurnReader turns;
  ParameterReader parameters;
  ReplyReader replies;
  std::optional<std::string_view> reply;  // in `replies`; empty when the answer has no text
  bool has_turns = false;                 // the dialect's field of turns was there

  void restart();
  MaybeRefusal read_object(Dialect dialect, od::object& object);
};

MaybeRefusal BodyReader::State::read_object(Dialect dialect, od::object& object) {
  std::array<std::size_t, kTurnFields> seen{};
  const auto read_turns_now = [&](std::size_t field) {
    // Responses: system text stands in `instructions` and in `input`, and always counts in that order.
    return !turns.is_careful() && seen[field] == 1 && (field != kInput || seen[kInstructions] > 0);
  };
  bool input_waits = false;
  const auto refusal = json.each_field(object, [&](std::string_view key, od::value value) -> MaybeRefusal {
    const std::size_t field = turn_field_of(dialect, key);
    if (field == kNoTurnField) return parameters.read(dialect, key, value);
    if (++seen[field] > 1) turns.note_repeated_key();
    has_turns |= field != kSystem && field != kInstructions;
    if (read_turns_now(field)) return turns.read_field(field, value);
    input_waits |= field == kInput;
    return {};
  });
  if (refusal) return refusal;
  if (!turns.is_careful() && (!input_waits || turns.saw_repeated_key())) return {};
  for (std::size_t field = 0; field < kTurnFields; ++field) {
    // System text before turns, so that the second pass gives what the first would have.
    constexpr std::array<std::size_t, kTurnFields> kOrder{kSystem, kInstructions, kMessages, kInput, kPrompt};
    const std::size_t wanted = turns.is_careful() ? kOrder[field] : static_cast<std::size_t>(kInput);
    bool ignored = false;
    std::size_t left = seen[wanted];
    if (left == 0) continue;
    if (object.reset().get(ignored)) return kBodyNotJson;
    const auto second = json.each_field(object, [&](std::string_view key, od::value value) -> MaybeRefusal {
      return turn_field_of(dialect, key) == wanted && --left == 0 ? turns.read_field(wanted, value) : MaybeRefusal{};
    });
    if (second) return second;
    if (!turns.is_careful()) break;
  }
  return {};
}

BodyReader::BodyReader(const crypto::KeyedHash& keyed_hash) : state_(std::make_unique<State>(keyed_hash)) {}
BodyReader::~BodyReader() = default;

void BodyReader::State::restart() {
  fingerprinter.begin();
  if (reply) fingerprinter.set_reply(*reply);
  parameters.begin();
  turns.begin(false);
  has_turns = false;
}

void BodyReader::begin() {
  state_->reply.reset();
  state_->restart();
}

void BodyReader::read_reply(Dialect dialect, std::string_view response_json) {
  if (response_json.empty()) return;
  state_->reply = state_->replies.read(dialect, response_json);
  state_->fingerprinter.set_reply(*state_->reply);
}

std::optional<Refusal> BodyReader::read_fields(Dialect dialect, std::string_view json) {
  State& state = *state_;
  for (bool careful = false;; careful = true) {
    state.turns.begin(careful);
    od::document document;
    if (auto refusal = state.json.open(json, document)) return refusal;
    od::object object;
    if (document.get_object().get(object)) return wrong_type("request");
    if (auto refusal = state.read_object(dialect, object)) return refusal;
    if (!state.turns.saw_repeated_key() || careful) return {};
    state.restart();
  }
}

std::optional<Refusal> BodyReader::read_turns(Dialect dialect, std::string_view json) {
  State& state = *state_;
  const auto first = json.empty() ? '\0' : json[0];
  if (first == '{') return read_fields(dialect, json);
  if (first == '"') {
    const auto text_of_turn = state.json.unescape(json.substr(1));
    if (!text_of_turn) return kBodyNotJson;
    add_user_text(*text_of_turn);
    return {};
  }
  if (first != '[') return wrong_type("messages");
  od::document document;
  state.turns.begin(false);
  if (auto refusal = state.json.open(json, document)) return refusal;
  od::array messages;
  if (document.get_array().get(messages)) return kBodyNotJson;
  return state.turns.read_messages(messages, "messages");
}

void BodyReader::add_user_text(std::string_view text) { state_->turns.add_user_text(text); }
void BodyReader::set_model(std::string_view name) { state_->parameters.set_model(name); }

void BodyReader::finish(Body& out) {
  state_->parameters.finish(out);
  out.fingerprint = state_->fingerprinter.finish();
}

std::optional<Refusal> BodyReader::read(Dialect dialect, std::string_view json, Body& out,
                                        std::string_view response_json) {
  begin();
  read_reply(dialect, response_json);
  if (auto refusal = read_fields(dialect, json)) return refusal;
  // A Responses request may rest on a stored prompt or conversation alone; the others must have turns.
  if (!state_->has_turns && dialect != Dialect::openai_responses) {
    return Refusal{RejectReason::missing_field, dialect == Dialect::text ? "request.prompt" : "request.messages"};
  }
  finish(out);
  return {};
}

std::uint64_t BodyReader::turns_ignored() const { return state_->turns.turns_ignored(); }

}  // namespace stillwatch::intake
