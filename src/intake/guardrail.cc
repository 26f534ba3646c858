#include "intake/guardrail.h"

#include <array>

#include "base/limits.h"
#include "intake/body_reader.h"
#include "intake/json_cursor.h"
#include "intake/path_walker.h"

namespace stillwatch::intake {
namespace {

using event::Dialect;
using MaybeRefusal = std::optional<Refusal>;

enum Slot : std::size_t {
  kUserId,
  kTeamId,
  kKeyHash,
  kEndUser,
  kModel,
  kCallId,
  kInputType,
  kTexts,
  kMessages,
  kSlots
};
constexpr std::array<std::string_view, kSlots> kPaths{"request_data.user_api_key_user_id",
                                                      "request_data.user_api_key_team_id",
                                                      "request_data.user_api_key_hash",
                                                      "request_data.user_api_key_end_user_id",
                                                      "model",
                                                      "litellm_call_id",
                                                      "input_type",
                                                      "texts",
                                                      "structured_messages"};

}  // namespace

struct GuardrailReader::State {
  explicit State(const crypto::KeyedHash& keyed_hash) : body(keyed_hash) {}

  const PathNode root = tree_of(kPaths);
  PathWalker walker;
  BodyReader body;
  JsonText text;
  std::array<RawValue, kSlots> values;

  /// Ids longer than the limit are refused in logs too; here the request would then go unnamed.
  MaybeRefusal read_text(Slot slot, std::string_view name, std::string& out) {
    if (!values[slot].is_there()) return {};
    const auto value = text_of(values[slot], text);
    if (!value) return Refusal{RejectReason::wrong_type, name};
    if (value->size() > base::limits::kIdBytesMax) return Refusal{RejectReason::id_too_long, name};
    out.assign(*value);
    return {};
  }

  MaybeRefusal read_texts(GuardrailFacts& out, bool adds_turns) {
    const RawValue texts = values[kTexts];
    if (!texts.is_there()) return {};
    JsonCursor cursor(texts.json);
    const bool is_whole = cursor.each_element([&](std::size_t) {
      std::string_view turn;
      if (!cursor.string_or_skip(text, turn)) return false;
      ++out.texts;
      out.text_bytes += turn.size();
      if (adds_turns) body.add_user_text(turn);
      return true;
    });
    return is_whole ? MaybeRefusal{} : Refusal{RejectReason::wrong_type, "texts"};
  }

  MaybeRefusal read(std::string_view json, GuardrailFacts& out) {
    if (auto refusal = walker.walk(json, root, values)) return refusal;
    for (const Slot slot : {kUserId, kTeamId, kKeyHash}) {
      if (!out.account.empty()) break;
      if (auto refusal = read_text(slot, "request_data", out.account)) return refusal;
    }
    if (auto refusal = read_text(kKeyHash, "request_data.user_api_key_hash", out.key)) return refusal;
    if (auto refusal = read_text(kEndUser, "request_data.user_api_key_end_user_id", out.end_user)) return refusal;
    if (auto refusal = read_text(kModel, "model", out.model)) return refusal;
    if (auto refusal = read_text(kCallId, "litellm_call_id", out.call_id)) return refusal;
    std::string input_type;
    if (auto refusal = read_text(kInputType, "input_type", input_type)) return refusal;
    out.is_response = input_type == "response";
    body.begin();
    const bool has_messages = values[kMessages].is_there() && values[kMessages].json != "[]";
    // A first reading of the whole for the model and the tools, which stand where the dialect has them.
    if (auto refusal = body.read_fields(Dialect::openai_chat, json)) return refusal;
    if (auto refusal = read_texts(out, !out.is_response && !has_messages)) return refusal;
    if (out.is_response) return {};
    if (has_messages) {
      if (auto refusal = body.read_turns(Dialect::openai_chat, values[kMessages].json)) return refusal;
    }
    Body finished;
    body.finish(finished);
    out.fingerprint = finished.fingerprint;
    return {};
  }
};

GuardrailReader::GuardrailReader(const crypto::KeyedHash& keyed_hash) : state_(std::make_unique<State>(keyed_hash)) {}
GuardrailReader::~GuardrailReader() = default;

std::optional<Refusal> GuardrailReader::read(std::string_view body, GuardrailFacts& out) {
  out = {};
  return state_->read(body, out);
}

}  // namespace stillwatch::intake
