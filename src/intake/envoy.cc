// Envoy AI Gateway's JSON access log, one object a line. It has no prompts: a record says who, when, how much, and its
// fingerprint is that of a request without turns. What is made of which field: docs/reference/log-formats.md; the
// fields: https://aigateway.envoyproxy.io/docs/capabilities/observability/accesslogs.
#include <algorithm>
#include <array>

#include "intake/endpoint.h"
#include "intake/path_walker.h"
#include "intake/record_parser.h"

namespace stillwatch::intake {
namespace {

using MaybeRefusal = std::optional<Refusal>;

enum Slot : std::size_t {
  kId,
  kStart,
  kDuration,
  kPath,
  kRequestPath,
  kUserId,
  kUserHeader,
  kKey,
  kEndUser,
  kAddress,
  kUserAgent,
  kStatus,
  kModel,
  kInputTokens,
  kOutputTokens,
  kSlots,
};
constexpr std::array<std::string_view, kSlots> kPaths{R"("x-request-id")",
                                                      "start_time",
                                                      "duration",
                                                      R"("x-envoy-origin-path")",
                                                      R"("request.path")",
                                                      R"("user.id")",
                                                      R"("x-user-id")",
                                                      R"("api_key.id")",
                                                      R"("enduser.id")",
                                                      "downstream_remote_address",
                                                      R"("user-agent")",
                                                      "response_code",
                                                      R"("gen_ai.request.model")",
                                                      R"("gen_ai.usage.input_tokens")",
                                                      R"("gen_ai.usage.output_tokens")"};
constexpr std::array<std::string_view, 1> kAccountPaths[] = {{"user.id"}, {"x-user-id"}};
constexpr std::string_view kAbsent = "-";  // what Envoy writes for what is not there

class EnvoyParser final : public RecordParser {
 public:
  EnvoyParser(const crypto::KeyedHash& keyed_hash, const Identities* identities)
      : RecordParser(keyed_hash, identities) {}

 private:
  MaybeRefusal read(std::string_view line, ParsedLine& out) override {
    if (auto refusal = walker_.walk(line, root_, values_)) {
      scan(line);
      return refusal;
    }
    if (is_other_traffic()) {
      out.is_blank = true;
      return {};
    }
    if (auto refusal = read_fields()) return refusal;
    return builder_.finish();
  }

  void scan(std::string_view line) override {
    for (const auto& path : kAccountPaths) {
      if (find_account(line, path, kAbsent)) return;
    }
  }

  std::optional<std::string_view> text(Slot slot) {
    const auto value = text_of(values_[slot], text_);
    return value && *value != kAbsent && !value->empty() ? value : std::nullopt;
  }
  std::uint32_t count(Slot slot) { return count_of(values_[slot], text_).value_or(0); }

  Endpoint endpoint() {
    auto path = text(kPath);
    if (!path) path = text(kRequestPath);
    // Below the prefix of a route ("/anthropic/v1/messages").
    const std::size_t version = path ? path->find("/v1/") : std::string_view::npos;
    return version == std::string_view::npos ? Endpoint::other : endpoint_of_path(path->substr(version));
  }

  /// Embeddings, models, tools (MCP): neither a query nor a fault. A model at a path that is not known is a fault, or a
  /// log of another layout would vanish unseen.
  bool is_other_traffic() {
    const Endpoint known = endpoint();
    return known == Endpoint::other ? !text(kModel) && (text(kPath) || text(kRequestPath))
                                    : !dialect_of_endpoint(known);
  }

  MaybeRefusal read_fields() {
    MaybeRefusal refusal;
    auto account = text(kUserId);
    if (!account) account = text(kUserHeader);
    if (account) refusal = builder_.set_account(*account);
    if (values_[kStart].is_there()) {
      const auto time_us = time_of(values_[kStart], TimeFormat::rfc3339, text_);
      if (!time_us) return refusal ? refusal : Refusal{RejectReason::bad_time, "start_time"};
      builder_.set_time_us(*time_us);
      if (values_[kDuration].is_there()) builder_.set_ended_us(*time_us + std::int64_t{1'000} * count(kDuration));
    }
    if (refusal) return refusal;
    if (const auto id = text(kId)) {
      if ((refusal = builder_.set_id(*id))) return refusal;
    }
    if (const auto key = text(kKey)) builder_.set_key(*key);
    if (const auto end_user = text(kEndUser)) builder_.set_end_user(*end_user);
    if (const auto address = text(kAddress)) builder_.set_address(*address);
    if (const auto user_agent = text(kUserAgent)) builder_.set_user_agent(*user_agent);
    builder_.set_status(static_cast<std::uint16_t>(std::min(count(kStatus), 999U)));
    builder_.set_input_tokens(count(kInputTokens));
    builder_.set_output_tokens(count(kOutputTokens));
    const auto dialect = dialect_of_endpoint(endpoint());
    if (!dialect) return Refusal{RejectReason::unknown_dialect, "x-envoy-origin-path"};
    builder_.set_dialect(*dialect);
    body_.begin();
    if (const auto model = text(kModel)) body_.set_model(*model);
    Body body;
    body_.finish(body);
    body.fingerprint = {};  // nothing was seen, not even that parameters were left out
    builder_.set_body(body);
    return {};
  }

  const PathNode root_ = tree_of(kPaths);
  PathWalker walker_;
  std::array<RawValue, kSlots> values_;
};

}  // namespace

std::unique_ptr<LineParser> make_envoy_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities) {
  return std::make_unique<EnvoyParser>(keyed_hash, identities);
}

}  // namespace stillwatch::intake
