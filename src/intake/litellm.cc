// LiteLLM's StandardLoggingPayload, one JSON object a line. Field names:
// https://docs.litellm.ai/docs/proxy/logging_spec; what is made of them: docs/reference/log-formats.md.
#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/limits.h"
#include "intake/body_reader.h"
#include "intake/line_parser.h"
#include "intake/path_walker.h"

namespace stillwatch::intake {
namespace {

using MaybeRefusal = std::optional<Refusal>;

enum Slot : std::size_t {
  kId,
  kStart,
  kEnd,
  kMessages,
  kModel,
  kModelGroup,
  kParameters,
  kCallType,
  kStatus,
  kErrorCode,
  kPromptTokens,
  kCompletionTokens,
  kReasoningTokens,
  kEndUser,
  kAddress,
  kAddressOfMetadata,
  kUserAgent,
  kUserId,
  kTeamId,
  kKeyHash,
  kSlots,
};
constexpr std::array<std::string_view, kSlots> kPaths{"id",
                                                      "startTime",
                                                      "endTime",
                                                      "messages",
                                                      "model",
                                                      "model_group",
                                                      "model_parameters",
                                                      "call_type",
                                                      "status",
                                                      "error_information.error_code",
                                                      "prompt_tokens",
                                                      "completion_tokens",
                                                      "response.usage.completion_tokens_details.reasoning_tokens",
                                                      "end_user",
                                                      "requester_ip_address",
                                                      "metadata.requester_ip_address",
                                                      "metadata.user_agent",
                                                      "metadata.user_api_key_user_id",
                                                      "metadata.user_api_key_team_id",
                                                      "metadata.user_api_key_hash"};
constexpr std::array<std::string_view, 2> kAccountPaths[] = {
    {"metadata", "user_api_key_user_id"}, {"metadata", "user_api_key_team_id"}, {"metadata", "user_api_key_hash"}};

PathNode tree() {
  PathNode root;
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    const auto steps = parse_path(kPaths[slot]);
    STILLWATCH_ASSERT(steps.has_value());
    add_path(root, *steps, slot);
  }
  return root;
}

event::Dialect dialect_of_call(std::string_view call_type) {
  if (call_type.find("anthropic_messages") != std::string_view::npos) return event::Dialect::anthropic_messages;
  if (call_type.find("responses") != std::string_view::npos) return event::Dialect::openai_responses;
  if (call_type.find("text_completion") != std::string_view::npos) return event::Dialect::text;
  return event::Dialect::openai_chat;
}

class LitellmParser final : public LineParser {
 public:
  LitellmParser(const crypto::KeyedHash& keyed_hash, const Identities* identities)
      : builder_(keyed_hash, identities), body_(keyed_hash) {}

  void parse(std::string_view line, ParsedLine& out) override {
    builder_.begin(line.size(), out);
    if (is_blank(line)) {
      out.is_blank = true;
      return;
    }
    MaybeRefusal refusal = walker_.walk(line, root_, values_);
    if (refusal)
      scan(line);
    else
      refusal = read();
    if (!refusal) refusal = builder_.finish();
    if (refusal) builder_.refuse(*refusal);
  }

  void refuse(std::string_view beginning, std::uint64_t line_bytes, RejectReason reason, ParsedLine& out) override {
    builder_.begin(static_cast<std::size_t>(line_bytes), out);
    scan(beginning);
    builder_.refuse({reason, ""});
  }

  bool keep_raw(RawRecord* raw) override {
    builder_.keep_raw(raw);
    return true;
  }
  NewIds& new_ids() override { return builder_.new_ids(); }
  ParserCounters counters() const override {
    ParserCounters counters = builder_.counters();
    counters.turns_ignored = body_.turns_ignored();
    return counters;
  }

 private:
  void scan(std::string_view line) {
    for (const auto& path : kAccountPaths) {
      const auto account = find_string(line, path, text_);
      if (!account || account->empty() || !is_utf8(*account)) continue;
      (void)builder_.set_account(*account);
      return;
    }
  }

  std::optional<std::string_view> text(Slot slot) {
    return values_[slot].is_there() ? text_of(values_[slot], text_) : std::nullopt;
  }
  std::uint32_t count(Slot slot) {
    const auto number = values_[slot].is_there() ? number_of(values_[slot], text_) : std::nullopt;
    return number ? static_cast<std::uint32_t>(std::min(*number, 4294967295.0)) : 0;
  }
  std::optional<std::int64_t> time(Slot slot) {
    const RawValue value = values_[slot];
    if (!value.is_there()) return std::nullopt;
    const auto seconds = time_of(value, TimeFormat::unix_s, text_);
    return seconds ? seconds : time_of(value, TimeFormat::rfc3339, text_);
  }

  MaybeRefusal read() {
    MaybeRefusal refusal;
    for (const Slot slot : {kUserId, kTeamId, kKeyHash}) {
      const auto account = text(slot);
      if (!account || account->empty()) continue;
      refusal = builder_.set_account(*account);
      break;
    }
    if (values_[kStart].is_there()) {
      const auto time_us = time(kStart);
      if (time_us)
        builder_.set_time_us(*time_us);
      else if (!refusal)
        refusal = Refusal{RejectReason::bad_time, "startTime"};
    }
    if (refusal) return refusal;
    if (values_[kId].is_there()) {
      const auto id = text(kId);
      if (!id) return Refusal{RejectReason::wrong_type, "id"};
      if ((refusal = builder_.set_id(*id))) return refusal;
    }
    if (const auto ended = time(kEnd)) builder_.set_ended_us(*ended);
    if (const auto key = text(kKeyHash)) builder_.set_key(*key);
    if (const auto end_user = text(kEndUser)) builder_.set_end_user(*end_user);
    const auto address = text(kAddress);
    if (address && !address->empty())
      builder_.set_address(*address);
    else if (const auto other = text(kAddressOfMetadata))
      builder_.set_address(*other);
    if (const auto user_agent = text(kUserAgent)) builder_.set_user_agent(*user_agent);
    builder_.set_input_tokens(count(kPromptTokens));
    builder_.set_output_tokens(count(kCompletionTokens));
    builder_.set_reasoning_tokens(count(kReasoningTokens));
    read_status();
    return read_body();
  }

  void read_status() {
    const auto status = text(kStatus);
    if (status && *status == "success") return builder_.set_status(200);
    const std::uint32_t code = count(kErrorCode);
    // A failure without a code is the server's until known otherwise.
    if (status && *status == "failure")
      builder_.set_status(static_cast<std::uint16_t>(code > 0 && code < 1000 ? code : 500));
  }

  MaybeRefusal read_body() {
    const auto call_type = text(kCallType);
    const event::Dialect dialect = dialect_of_call(call_type ? *call_type : std::string_view{});
    builder_.set_dialect(dialect);
    const RawValue messages = values_[kMessages];
    if (!messages.is_there()) return Refusal{RejectReason::missing_field, "messages"};
    body_.begin();
    if (values_[kParameters].is_there()) {
      if (values_[kParameters].json[0] != '{') return Refusal{RejectReason::wrong_type, "model_parameters"};
      if (auto refusal = body_.read_fields(dialect, values_[kParameters].json)) return refusal;
    }
    if (auto refusal = body_.read_turns(dialect, messages.json)) return refusal;
    // model_group is what the client asked for; model is what the router made of it.
    auto model = text(kModelGroup);
    if (!model || model->empty()) model = text(kModel);
    if (model) body_.set_model(*model);
    Body body;
    body_.finish(body);
    builder_.set_body(body);
    return {};
  }

  const PathNode root_ = tree();
  RecordBuilder builder_;
  BodyReader body_;
  PathWalker walker_;
  JsonText text_;
  std::array<RawValue, kSlots> values_;
};

}  // namespace

std::unique_ptr<LineParser> make_litellm_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities) {
  return std::make_unique<LitellmParser>(keyed_hash, identities);
}

}  // namespace stillwatch::intake
