#include "intake/parameter_reader.h"

#include <algorithm>
#include <array>

namespace stillwatch::intake {
namespace {

using event::Dialect;

// A named reasoning effort is pinned by relays as a budget is; kept apart from budgets by its sign.
std::int64_t budget_of_effort(std::string_view effort) {
  constexpr std::array<std::string_view, 6> kEfforts{"none", "minimal", "low", "medium", "high", "xhigh"};
  const auto found = std::find(kEfforts.begin(), kEfforts.end(), effort);
  return -10 - static_cast<std::int64_t>(found - kEfforts.begin());
}

}  // namespace

void ParameterReader::begin() {
  parameters_ = {};
  tokens_max_old_ = -1;
  has_safety_identifier_ = false;
  model_ = end_user_ = 0;
  model_name_.clear();
  end_user_name_.clear();
}

void ParameterReader::set_model(std::string_view name) {
  model_name_.assign(name);
  model_ = name.empty() ? 0 : keyed_hash_(crypto::Domain::model, name);
}

void ParameterReader::set_end_user(std::string_view name) {
  end_user_name_.assign(name);
  end_user_ = keyed_hash_(crypto::Domain::end_user, name);
}

void ParameterReader::finish(Body& out) {
  if (parameters_.output_tokens_max < 0) parameters_.output_tokens_max = tokens_max_old_;
  fingerprinter_.set_parameters(parameters_);
  out.model = model_;
  out.end_user = end_user_;
  out.model_name = model_name_;
  out.end_user_name = end_user_name_;
  out.sampled_many = parameters_.n > 1;
}

/// response_format and its like: {"type":"text"} asks for nothing.
MaybeRefusal ParameterReader::read_schema(od::value value, std::string_view name) {
  od::object object;
  if (value.get_object().get(object)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
  ShortName type;
  const auto refusal = json_.each_field(object, [&](std::string_view key, od::value inner) -> MaybeRefusal {
    std::string_view text_of_type;
    if (key == "type") {
      if (auto refused = json_.string_of(inner, name, text_of_type)) return refused;
      type.set(text_of_type);
    }
    return {};
  });
  if (refusal) return refusal;
  bool ignored = false;
  std::string_view raw;
  if (object.reset().get(ignored) || object.raw_json().get(raw)) return kBodyNotJson;
  if (type.view() != "text") fingerprinter_.set_schema(raw);
  return {};
}

/// One field of a nested object: its text or its number, whichever it is.
MaybeRefusal ParameterReader::read_nested(od::value value, std::string_view name, std::string_view wanted,
                                          std::string_view& out_text, double& out_number) {
  od::object object;
  if (value.get_object().get(object)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
  return json_.each_field(object, [&](std::string_view key, od::value inner) -> MaybeRefusal {
    if (key != wanted) return {};
    od::json_type type;
    if (inner.type().get(type)) return kBodyNotJson;
    return type == od::json_type::number ? json_.number_of(inner, name, out_number)
                                         : json_.string_of(inner, name, out_text);
  });
}

MaybeRefusal ParameterReader::read(Dialect dialect, std::string_view key, od::value value) {
  std::string_view bytes;
  double number = -1;
  switch (key.empty() ? '\0' : key[0]) {
    case 'm':
      if (key == "model") {
        if (auto refusal = json_.string_of(value, "request.model", bytes)) return refusal;
        set_model(bytes);
      } else if (key == "max_tokens") {
        return json_.count_of(value, "request.max_tokens", tokens_max_old_);
      } else if (key == "max_completion_tokens" || key == "max_output_tokens") {
        return json_.count_of(value, "request.max_output_tokens", parameters_.output_tokens_max);
      } else if (key == "metadata" && dialect == Dialect::anthropic_messages) {
        if (auto refusal = read_nested(value, "request.metadata.user_id", "user_id", bytes, number)) return refusal;
        if (!bytes.empty()) set_end_user(bytes);
      }
      break;
    case 't':
      if (key == "temperature") return json_.number_of(value, "request.temperature", parameters_.temperature);
      if (key == "top_p") return json_.number_of(value, "request.top_p", parameters_.top_p);
      if (key == "tools") {
        const std::string_view raw = json_.span_of(value);
        if (raw.size() > 2) fingerprinter_.set_tools(raw);
      } else if (key == "thinking" && dialect == Dialect::anthropic_messages) {
        if (auto refusal = read_nested(value, "request.thinking.budget_tokens", "budget_tokens", bytes, number))
          return refusal;
        if (number >= 0) parameters_.thinking_budget = static_cast<std::int64_t>(std::min(number, 1e15));
      } else if (key == "text" && dialect == Dialect::openai_responses) {
        od::object object;
        if (value.get_object().get(object))
          return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type("request.text")};
        return json_.each_field(object, [&](std::string_view inner_key, od::value inner) -> MaybeRefusal {
          return inner_key == "format" ? read_schema(inner, "request.text.format") : MaybeRefusal{};
        });
      }
      break;
    case 'n':
      if (key == "n") {
        std::int64_t count = -1;
        if (auto refusal = json_.count_of(value, "request.n", count)) return refusal;
        parameters_.n = static_cast<std::int32_t>(std::min<std::int64_t>(count, INT32_MAX));
      }
      break;
    case 's':
      if (key == "stream") return json_.flag_of(value, "request.stream", parameters_.stream);
      if (key == "safety_identifier") {
        if (auto refusal = json_.string_of(value, "request.safety_identifier", bytes)) return refusal;
        if (bytes.empty()) break;
        set_end_user(bytes);
        has_safety_identifier_ = true;
      }
      break;
    case 'u':
      if (key == "user" && dialect != Dialect::anthropic_messages) {
        if (auto refusal = json_.string_of(value, "request.user", bytes)) return refusal;
        if (!bytes.empty() && !has_safety_identifier_) set_end_user(bytes);
      }
      break;
    case 'l':
      if (key == "logprobs") {
        od::json_type type;
        if (value.type().get(type)) return kBodyNotJson;
        // The old completions dialect has a number here.
        if (type == od::json_type::number)
          parameters_.logprobs = true;
        else
          return json_.flag_of(value, "request.logprobs", parameters_.logprobs);
      }
      break;
    case 'f':
      if (key == "functions") {
        const std::string_view raw = json_.span_of(value);
        if (raw.size() > 2) fingerprinter_.set_tools(raw);
      }
      break;
    case 'r':
      if (key == "response_format") return read_schema(value, "request.response_format");
      if (key == "reasoning_effort") {
        if (auto refusal = json_.string_of(value, "request.reasoning_effort", bytes)) return refusal;
      } else if (key == "reasoning") {
        if (auto refusal = read_nested(value, "request.reasoning.effort", "effort", bytes, number)) return refusal;
      }
      if (!bytes.empty()) parameters_.thinking_budget = budget_of_effort(bytes);
      break;
    case 'o':
      if (key == "output_format") return read_schema(value, "request.output_format");
      break;
    default: break;
  }
  return {};
}

}  // namespace stillwatch::intake
