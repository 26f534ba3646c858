// JSON values as the readers of lines and bodies use them: simdjson's, with our unescaping and our refusals.
//
// Internal to this module, and the only header with simdjson in it: its values cannot be declared ahead, and the
// readers are several files. Invariant: no exception; every error of simdjson becomes a Refusal.
// Threads: one a thread. Cost: simdjson's; no allocation once the parser has seen the longest text.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/limits.h"
#include "intake/body_reader.h"
#include "intake/json_scan.h"
#include "intake/reject.h"

namespace stillwatch::intake {

namespace od = simdjson::ondemand;
using MaybeRefusal = std::optional<Refusal>;

static_assert(kJsonPadding >= simdjson::SIMDJSON_PADDING);

inline constexpr Refusal kBodyNotJson{RejectReason::not_json, "request"};
inline constexpr Refusal kLineNotJson{RejectReason::not_json, ""};
constexpr Refusal wrong_type(std::string_view field) { return {RejectReason::wrong_type, field}; }

/// False for "nul" and the like; simdjson's own answer would throw when it is read as a bool.
inline bool is_null(od::value& value) {
  bool null = false;
  return value.is_null().get(null) == simdjson::SUCCESS && null;
}

/// A short name (role, part type) kept while other fields are read. Longer ones are cut: none is known.
struct ShortName {
  std::array<char, 48> bytes{};
  std::uint8_t size = 0;
  void set(std::string_view text) {
    size = static_cast<std::uint8_t>(std::min(text.size(), bytes.size()));
    std::copy_n(text.begin(), size, bytes.begin());
  }
  std::string_view view() const { return {bytes.data(), size}; }
};

/// One JSON text at a time, and its scalars.
class JsonReader {
 public:
  /// `not_json`: what a text that is no JSON is refused with.
  explicit JsonReader(Refusal not_json = kBodyNotJson) : not_json_(not_json) {}

  MaybeRefusal open(std::string_view json, od::document& document) {
    return iterate(json, document) == simdjson::SUCCESS ? MaybeRefusal{} : MaybeRefusal{not_json_};
  }

  /// A line of a log, which must be one object and nothing more: calls visit(object).
  template <class Visit>
  MaybeRefusal read_line(std::string_view line, Visit visit) {
    if (nests_deeper(line, base::limits::kJsonDepthMax)) return Refusal{RejectReason::too_deep, ""};
    od::document document;
    const auto error = iterate(line, document);
    if (error == simdjson::UTF8_ERROR) return Refusal{RejectReason::not_utf8, ""};
    od::object object;
    if (error != simdjson::SUCCESS || document.get_object().get(object)) return not_json_;
    if (auto refusal = visit(object)) return refusal;
    const char* rest = nullptr;
    if (document.current_location().get(rest) == simdjson::SUCCESS) return not_json_;
    return {};
  }

  std::size_t json_bytes() const { return json_bytes_; }
  /// Of a text that starts behind its quote; until the next call.
  std::optional<std::string_view> unescape(std::string_view raw) { return text_.unescape(raw); }

  /// Text of a string; for null an empty view with no bytes at all. Inlined, because a call costs as much as the work:
  /// reading a log would take 1.6 % longer.
  [[gnu::always_inline]] MaybeRefusal string_of(od::value value, std::string_view name, std::string_view& out) {
    out = {};
    od::raw_json_string raw;
    if (value.get_raw_json_string().get(raw)) {
      return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
    }
    const auto unescaped = unescape(text_, raw.raw());
    if (!unescaped) return not_json_;
    out = *unescaped;
    return {};
  }
  MaybeRefusal number_of(od::value value, std::string_view name, double& out) {
    if (value.get_double().get(out) == simdjson::SUCCESS) return {};
    return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
  }
  MaybeRefusal count_of(od::value value, std::string_view name, std::int64_t& out) {
    double number = -1;
    if (auto refusal = number_of(value, name, number)) return refusal;
    out = std::isfinite(number) ? static_cast<std::int64_t>(std::clamp(number, -1.0, 1e15)) : -1;
    return {};
  }
  static MaybeRefusal flag_of(od::value value, std::string_view name, bool& out) {
    if (value.get_bool().get(out) == simdjson::SUCCESS) return {};
    return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
  }
  /// Raw JSON of an array or object; empty for anything else.
  static std::string_view span_of(od::value value) {
    std::string_view raw;
    od::json_type type;
    if (value.type().get(type)) return {};
    if (type == od::json_type::object) {
      od::object object;
      if (value.get_object().get(object) || object.raw_json().get(raw)) return {};
    } else if (type == od::json_type::array) {
      od::array array;
      if (value.get_array().get(array) || array.raw_json().get(raw)) return {};
    }
    return raw;
  }

  /// Calls visit(key, value) for each field, in order.
  template <class Visit>
  MaybeRefusal each_field(od::object& object, Visit visit) {
    for (auto result : object) {
      od::field field;
      if (std::move(result).get(field)) return not_json_;
      const auto key = key_of(field);
      if (!key) return not_json_;
      if (auto refusal = visit(*key, field.value())) return refusal;
    }
    return {};
  }

 private:
  simdjson::error_code iterate(std::string_view json, od::document& document) {
    if (json.size() > parser_.capacity()) {
      // Grown by doubling, so that lines of growing length do not allocate each.
      const std::size_t room = std::max<std::size_t>(1 << 14, std::max(json.size(), 2 * parser_.capacity()));
      if (const auto error = parser_.allocate(room, simdjson::DEFAULT_MAX_DEPTH)) return error;
    }
    end_ = json.data() + json.size();
    json_bytes_ = json.size();
    return parser_.iterate(simdjson::padded_string_view(json.data(), json.size(), json.size() + kJsonPadding))
        .get(document);
  }
  std::optional<std::string_view> unescape(JsonText& into, const char* raw) const {
    return into.unescape(std::string_view(raw, static_cast<std::size_t>(end_ - raw)));
  }
  std::optional<std::string_view> key_of(od::field& field) { return unescape(key_text_, field.key().raw()); }

  Refusal not_json_;
  od::parser parser_;
  JsonText text_, key_text_;
  const char* end_ = nullptr;   // of the JSON being read
  std::size_t json_bytes_ = 0;  // its size
};

}  // namespace stillwatch::intake
