// LiteLLM's StandardLoggingPayload, one JSON object a line. Field names:
// https://docs.litellm.ai/docs/proxy/logging_spec; what is made of them: docs/reference/log-formats.md.
#include <array>

#include "intake/path_walker.h"
#include "intake/record_parser.h"

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

event::Dialect dialect_of_call(std::string_view call_type) {
  if (call_type.find("anthropic_messages") != std::string_view::npos) return event::Dialect::anthropic_messages;
  if (call_type.find("responses") != std::string_view::npos) return event::Dialect::openai_responses;
  if (call_type.find("text_completion") != std::string_view::npos) return event::Dialect::text;
  return event::Dialect::openai_chat;
}

class LitellmParser final : public RecordParser {
 public:
  LitellmParser(const crypto::KeyedHash& keyed_hash, const Identities* identities)
      : RecordParser(keyed_hash, identities) {}

 private:
  MaybeRefusal read(std::string_view line, ParsedLine&) override {
    if (auto refusal = walker_.walk(line, root_, values_)) {
      scan(line);
      return refusal;
    }
    if (auto refusal = read_fields()) return refusal;
    return builder_.finish();
  }

  void scan(std::string_view line) override {
    for (const auto& path : kAccountPaths) {
      if (find_account(line, path)) return;
    }
  }

  std::optional<std::string_view> text(Slot slot) { return text_of(values_[slot], text_); }
  std::uint32_t count(Slot slot) { return count_of(values_[slot], text_).value_or(0); }
  std::optional<std::int64_t> time(Slot slot) {
    const RawValue value = values_[slot];
    if (!value.is_there()) return std::nullopt;
    const auto seconds = time_of(value, TimeFormat::unix_s, text_);
    return seconds ? seconds : time_of(value, TimeFormat::rfc3339, text_);
  }

  MaybeRefusal read_fields() {
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

  const PathNode root_ = tree_of(kPaths);
  PathWalker walker_;
  std::array<RawValue, kSlots> values_;
};

}  // namespace

std::unique_ptr<LineParser> make_litellm_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities) {
  return std::make_unique<LitellmParser>(keyed_hash, identities);
}

}  // namespace stillwatch::intake
