// Lines of a foreign log by a map file: see map_format.h.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "intake/map_format.h"
#include "intake/record_parser.h"

namespace stillwatch::intake {
namespace {

using MaybeRefusal = std::optional<Refusal>;

class MapParser final : public RecordParser {
 public:
  MapParser(const MapFormat& format, const crypto::KeyedHash& keyed_hash, const Identities* identities)
      : RecordParser(keyed_hash, identities), format_(format) {
    for (const std::string& key : format.account_path()) account_path_.push_back(key);
  }

 private:
  MaybeRefusal read(std::string_view line, ParsedLine&) override {
    if (auto refusal = walker_.walk(line, format_.root(), values_)) {
      scan(line);
      return refusal;
    }
    if (auto refusal = read_identity()) return refusal;
    if (auto refusal = read_rest()) return refusal;
    return builder_.finish();
  }

  void scan(std::string_view line) override {
    if (!account_path_.empty()) (void)find_account(line, account_path_);
  }

  RawValue at(MapField field) const { return values_[static_cast<std::size_t>(field)]; }
  static MaybeRefusal wrong(MapField field) { return Refusal{RejectReason::wrong_type, name(field)}; }

  /// Account and time first: a line refused for anything else keeps them.
  MaybeRefusal read_identity() {
    MaybeRefusal refusal;
    for (const auto& [field, bytes] : format_.constants()) {
      if (field == MapField::account) refusal = builder_.set_account(bytes);
      if (field == MapField::key) builder_.set_key(bytes);
      if (field == MapField::end_user) builder_.set_end_user(bytes);
      if (field == MapField::client_user_agent) builder_.set_user_agent(bytes);
    }
    if (at(MapField::account).is_there()) {
      const auto account = text_of(at(MapField::account), text_);
      refusal = account ? builder_.set_account(*account) : wrong(MapField::account);
    }
    if (at(MapField::time).is_there()) {
      const auto time_us = time_of(at(MapField::time), format_.time_format(MapField::time), text_);
      if (time_us)
        builder_.set_time_us(*time_us);
      else if (!refusal)
        refusal = Refusal{RejectReason::bad_time, "time"};
    }
    return refusal;
  }

  template <class Set>
  MaybeRefusal with_text(MapField field, Set set) {
    if (!at(field).is_there()) return {};
    const auto bytes = text_of(at(field), text_);
    if (!bytes) return wrong(field);
    return set(*bytes);
  }
  template <class Set>
  MaybeRefusal with_count(MapField field, Set set) {
    if (!at(field).is_there()) return {};
    const auto count = count_of(at(field), text_);
    if (!count) return wrong(field);
    set(*count);
    return {};
  }
  template <class Function>
  static auto always(Function function) {
    return [function](std::string_view bytes) -> MaybeRefusal {
      function(bytes);
      return {};
    };
  }

  MaybeRefusal read_rest() {
    if (auto refusal = with_text(MapField::id, [&](std::string_view bytes) { return builder_.set_id(bytes); }))
      return refusal;
    if (at(MapField::ended).is_there()) {
      const auto time_us = time_of(at(MapField::ended), format_.time_format(MapField::ended), text_);
      if (!time_us) return Refusal{RejectReason::bad_time, "ended"};
      builder_.set_ended_us(*time_us);
    }
    if (auto refusal = with_text(MapField::key, always([&](auto bytes) { builder_.set_key(bytes); }))) return refusal;
    if (auto refusal = with_text(MapField::end_user, always([&](auto bytes) { builder_.set_end_user(bytes); })))
      return refusal;
    if (auto refusal = with_text(MapField::client_ip, always([&](auto bytes) { builder_.set_address(bytes); })))
      return refusal;
    if (auto refusal =
            with_text(MapField::client_user_agent, always([&](auto bytes) { builder_.set_user_agent(bytes); })))
      return refusal;
    if (auto refusal = with_text(MapField::client_ja4, always([&](auto bytes) { builder_.set_ja4(bytes); })))
      return refusal;
    // The order of the headers as the log writes it: one text.
    if (auto refusal = with_text(MapField::client_headers, always([&](auto bytes) { builder_.add_header(bytes); })))
      return refusal;
    if (auto refusal = with_count(MapField::client_asn, [&](auto count) { builder_.set_asn(count); })) return refusal;
    if (auto refusal = with_count(MapField::status, [&](auto count) {
          builder_.set_status(static_cast<std::uint16_t>(std::min<std::uint32_t>(count, 65535)));
        })) {
      return refusal;
    }
    if (auto refusal = with_count(MapField::input_tokens, [&](auto count) { builder_.set_input_tokens(count); }))
      return refusal;
    if (auto refusal = with_count(MapField::output_tokens, [&](auto count) { builder_.set_output_tokens(count); }))
      return refusal;
    if (auto refusal =
            with_count(MapField::reasoning_tokens, [&](auto count) { builder_.set_reasoning_tokens(count); }))
      return refusal;
    if (at(MapField::shed).is_there()) builder_.set_shed(at(MapField::shed).json == "true");
    if (auto refusal =
            with_text(MapField::fingerprint, [&](std::string_view bytes) { return builder_.set_fingerprint(bytes); }))
      return refusal;
    return read_body();
  }

  MaybeRefusal read_dialect(event::Dialect& dialect) {
    if (!at(MapField::dialect).is_there()) {
      if (!format_.dialect()) return Refusal{RejectReason::missing_field, "dialect"};
      dialect = *format_.dialect();
      return {};
    }
    const auto bytes = text_of(at(MapField::dialect), text_);
    if (!bytes) return wrong(MapField::dialect);
    auto known = dialect_of(*bytes);
    for (const auto& [other, meant] : format_.dialect_names()) {
      if (other == *bytes) known = meant;
    }
    if (!known) return Refusal{RejectReason::unknown_dialect, "dialect"};
    dialect = *known;
    return {};
  }

  /// JSON written as a text is unpacked into a padded buffer; anything else is used where it stands.
  std::optional<std::string_view> unpacked(RawValue value) {
    if (!value.is_text()) return value.json;
    const auto bytes = text_.unescape(value.json.substr(1));
    if (!bytes) return std::nullopt;
    unpacked_.assign(*bytes);
    unpacked_.append(kJsonPadding, ' ');
    return std::string_view(unpacked_).substr(0, bytes->size());
  }

  MaybeRefusal read_body() {
    event::Dialect dialect = event::Dialect::openai_chat;
    if (auto refusal = read_dialect(dialect)) return refusal;
    builder_.set_dialect(dialect);
    bool has_turns = false;
    body_.begin();
    for (const auto& [field, bytes] : format_.constants()) {
      if (field == MapField::request_model) body_.set_model(bytes);
    }
    for (const MapField field : {MapField::request, MapField::request_parameters}) {
      if (!at(field).is_there()) continue;
      const auto json = unpacked(at(field));
      if (!json || json->find('{') == std::string_view::npos) return wrong(field);
      // Only after unpacking is it known to nest within the limit.
      if (nests_deeper(*json, base::limits::kJsonDepthMax)) return Refusal{RejectReason::too_deep, name(field)};
      if (auto refusal = body_.read_fields(dialect, *json)) return refusal;
      has_turns |= field == MapField::request;
    }
    if (at(MapField::request_messages).is_there()) {
      const RawValue messages = at(MapField::request_messages);
      std::string_view json = messages.json;
      // A text is JSON when it looks like it, and one user turn otherwise.
      if (messages.is_text()) {
        const auto inner = unpacked(messages);
        if (!inner) return wrong(MapField::request_messages);
        if (!inner->empty() && (inner->front() == '[' || inner->front() == '{')) json = *inner;
      }
      if (nests_deeper(json, base::limits::kJsonDepthMax)) return Refusal{RejectReason::too_deep, "request.messages"};
      if (auto refusal = body_.read_turns(dialect, json)) return refusal;
      has_turns = true;
    }
    if (at(MapField::request_prompt).is_there()) {
      const auto bytes = text_of(at(MapField::request_prompt), text_);
      if (!bytes) return wrong(MapField::request_prompt);
      body_.add_user_text(*bytes);
      has_turns = true;
    }
    if (auto refusal = with_text(MapField::request_model, always([&](auto bytes) { body_.set_model(bytes); })))
      return refusal;
    if (!has_turns) return {};
    Body body;
    body_.finish(body);
    builder_.set_body(body);
    return {};
  }

  const MapFormat& format_;
  PathWalker walker_;
  std::array<RawValue, kMapFields> values_;
  std::string unpacked_;
  std::vector<std::string_view> account_path_;
};

}  // namespace

std::unique_ptr<LineParser> make_map_parser(const MapFormat& format, const crypto::KeyedHash& keyed_hash,
                                            const Identities* identities) {
  return std::make_unique<MapParser>(format, keyed_hash, identities);
}

}  // namespace stillwatch::intake
