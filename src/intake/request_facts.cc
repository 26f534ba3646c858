#include "intake/request_facts.h"

#include <algorithm>

#include "base/limits.h"
#include "intake/edit_rules.h"
#include "intake/json_value.h"

namespace stillwatch::intake {
namespace {

constexpr std::uint64_t kBytesPerToken = 4;      // about; for reservation, settled later by what the server counts
constexpr std::size_t kEndUserBytesMax = 1'024;  // Anthropic clients put 200 bytes of JSON here

void assign_cut(std::string& out, std::string_view text, std::size_t bytes_max) {
  std::size_t size = std::min(text.size(), bytes_max);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  out.assign(text.substr(0, size));
}

}  // namespace

struct RequestFactsReader::State {
  JsonReader json;
  JsonText text;
  Endpoint endpoint = Endpoint::other;
  std::string safety_identifier, user, user_of_metadata;
  std::int64_t n = 1, best_of = 1;
  std::int64_t limits[3] = {-1, -1, -1};  // max_tokens, max_completion_tokens, max_output_tokens

  bool is_chat_like() const { return endpoint == Endpoint::chat_completions || endpoint == Endpoint::completions; }

  MaybeRefusal read_text(od::value value, std::string_view name, std::string& out, std::size_t bytes_max) {
    std::string_view bytes;
    if (auto refusal = json.string_of(value, name, bytes)) return refusal;
    assign_cut(out, bytes, bytes_max);
    return {};
  }

  /// `logprobs`: a flag, or a number in the old completions API, where 0 asks too.
  MaybeRefusal read_logprobs(od::value value, RequestFacts& out) {
    od::json_type type;
    if (value.type().get(type)) return kBodyNotJson;
    out.logprobs = false;
    if (type != od::json_type::number) return JsonReader::flag_of(value, "request.logprobs", out.logprobs);
    std::int64_t count = 0;
    if (auto refusal = json.count_of(value, "request.logprobs", count)) return refusal;
    out.logprobs = true;
    out.top_logprobs = static_cast<std::int32_t>(std::clamp<std::int64_t>(count, 0, INT32_MAX));
    return {};
  }

  MaybeRefusal read_include(od::value value, RequestFacts& out) {
    od::array array;
    if (value.get_array().get(array))
      return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type("request.include")};
    for (auto result : array) {
      od::value element;
      if (std::move(result).get(element)) return kBodyNotJson;
      std::string_view name;
      if (auto refusal = json.string_of(element, "request.include", name)) return refusal;
      out.encrypted_reasoning |= name == "reasoning.encrypted_content";
      out.logprobs |= name == "message.output_text.logprobs";
    }
    return {};
  }

  MaybeRefusal read_flag_of_object(od::value value, std::string_view name, std::string_view wanted, bool& out) {
    od::object object;
    if (value.get_object().get(object)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
    out = false;
    return json.each_field(object, [&](std::string_view key, od::value inner) -> MaybeRefusal {
      return key == wanted ? JsonReader::flag_of(inner, name, out) : MaybeRefusal{};
    });
  }

  MaybeRefusal read_metadata(od::value value) {
    od::object object;
    if (value.get_object().get(object))
      return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type("request.metadata")};
    user_of_metadata.clear();
    return json.each_field(object, [&](std::string_view key, od::value inner) -> MaybeRefusal {
      if (key != "user_id") return {};
      return read_text(inner, "request.metadata.user_id", user_of_metadata, kEndUserBytesMax);
    });
  }

  /// An array of texts, or of arrays of tokens: many prompts at once. Chat messages and items are not.
  MaybeRefusal read_prompts(od::value value, RequestFacts& out) {
    od::json_type type;
    if (value.type().get(type)) return kBodyNotJson;
    out.is_batch = false;
    if (type != od::json_type::array) return {};
    od::array array;
    if (value.get_array().get(array)) return kBodyNotJson;
    std::size_t prompts = 0;
    for (auto result : array) {
      od::value element;
      if (std::move(result).get(element) || element.type().get(type)) return kBodyNotJson;
      prompts += static_cast<std::size_t>(type == od::json_type::string || type == od::json_type::array);
      if (prompts > 1) break;
    }
    out.is_batch = prompts > 1;
    return {};
  }

  MaybeRefusal read_reasoning(od::value value, std::string_view body, RequestFacts& out) {
    // By its own bytes, with the rule that the editor has.
    std::string_view raw;
    od::json_type type;
    if (value.type().get(type)) return kBodyNotJson;
    if (type == od::json_type::object || type == od::json_type::array)
      raw = JsonReader::span_of(value);
    else
      raw = value.raw_json_token();
    const auto offset = static_cast<std::size_t>(raw.data() - body.data());
    out.reasoning = !raw.empty() && asks_for_reasoning(JsonCursor(body.substr(offset)), endpoint, text);
    return {};
  }

  MaybeRefusal read_field(std::string_view key, od::value value, std::string_view body, RequestFacts& out) {
    if (key == "model") return read_text(value, "request.model", out.model, base::limits::kIdBytesMax);
    if (key == "stream") {
      out.stream = false;
      return JsonReader::flag_of(value, "request.stream", out.stream);
    }
    if (is_chat_like() && key == "stream_options")
      return read_flag_of_object(value, "request.stream_options", "include_usage", out.wants_usage_in_stream);
    if (is_chat_like() && key == "n") return json.count_of(value, "request.n", n);
    if (is_chat_like() && key == "best_of") return json.count_of(value, "request.best_of", best_of);
    if (endpoint != Endpoint::messages && key == "logprobs") return read_logprobs(value, out);
    if (endpoint != Endpoint::messages && key == "top_logprobs") {
      std::int64_t count = 0;
      if (auto refusal = json.count_of(value, "request.top_logprobs", count)) return refusal;
      out.top_logprobs = static_cast<std::int32_t>(std::clamp<std::int64_t>(count, 0, INT32_MAX));
      return {};
    }
    if (key == "max_tokens") return json.count_of(value, "request.max_tokens", limits[0]);
    if (key == "max_completion_tokens") return json.count_of(value, "request.max_completion_tokens", limits[1]);
    if (key == "max_output_tokens") return json.count_of(value, "request.max_output_tokens", limits[2]);
    if (key == "safety_identifier") return read_text(value, "request.safety_identifier", safety_identifier, 1'024);
    if (key == "user" && endpoint != Endpoint::messages)
      return read_text(value, "request.user", user, kEndUserBytesMax);
    if (key == "metadata" && endpoint == Endpoint::messages) return read_metadata(value);
    if (key == "include" && endpoint == Endpoint::responses) return read_include(value, out);
    if ((key == "prompt" && endpoint == Endpoint::completions) || (key == "input" && endpoint == Endpoint::embeddings))
      return read_prompts(value, out);
    if (is_reasoning_flag(endpoint, key)) {
      // Several keys may ask; one is enough.
      const bool asked_before = out.reasoning;
      if (auto refusal = read_reasoning(value, body, out)) return refusal;
      out.reasoning |= asked_before;
    }
    return {};
  }

  void finish(RequestFacts& out) {
    out.n = std::max<std::int64_t>({n, best_of, 1});
    for (const std::int64_t limit : limits) {
      // Servers differ in which one rules: reserving by the largest cannot fall short.
      out.output_tokens_max = std::max(out.output_tokens_max, limit);
    }
    out.end_user = !safety_identifier.empty() ? safety_identifier : !user.empty() ? user : user_of_metadata;
    out.logprobs |= out.top_logprobs > 0;
    out.reasoning |= out.encrypted_reasoning;
  }
};

RequestFactsReader::RequestFactsReader() : state_(std::make_unique<State>()) {}
RequestFactsReader::~RequestFactsReader() = default;

std::optional<Refusal> RequestFactsReader::read(Endpoint endpoint, std::string_view body, RequestFacts& out) {
  State& state = *state_;
  out = {};
  out.input_tokens = body.size() / kBytesPerToken;
  out.is_batch = is_batch(endpoint);
  if (endpoint == Endpoint::other || endpoint == Endpoint::models || is_batch(endpoint)) return {};
  state.endpoint = endpoint;
  state.n = state.best_of = 1;
  std::fill(std::begin(state.limits), std::end(state.limits), -1);
  state.safety_identifier.clear();
  state.user.clear();
  state.user_of_metadata.clear();
  if (nests_deeper(body, base::limits::kJsonDepthMax)) return Refusal{RejectReason::too_deep, "request"};
  od::document document;
  if (auto refusal = state.json.open(body, document)) return refusal;
  od::object object;
  if (document.get_object().get(object)) return kBodyNotJson;
  const auto refusal = state.json.each_field(
      object, [&](std::string_view key, od::value value) { return state.read_field(key, value, body, out); });
  if (refusal) return refusal;
  const char* rest = nullptr;
  if (document.current_location().get(rest) == simdjson::SUCCESS) return kBodyNotJson;
  state.finish(out);
  return {};
}

std::uint64_t tokens_to_reserve(const RequestFacts& facts, std::uint64_t output_tokens_default) {
  const std::uint64_t an_answer =
      facts.output_tokens_max < 0 ? output_tokens_default : static_cast<std::uint64_t>(facts.output_tokens_max);
  constexpr std::uint64_t kMost = 1'000'000'000'000;  // n and limits are the client's: no overflow
  const auto answers = static_cast<std::uint64_t>(std::clamp<std::int64_t>(facts.n, 1, 1'000'000));
  return facts.input_tokens + answers * std::min(an_answer, kMost);
}

}  // namespace stillwatch::intake
