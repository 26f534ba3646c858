#include "gateway/record_line.h"

#include <algorithm>

#include "base/base64.h"
#include "base/event_time.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "gateway/one_object.h"
#include "intake/body_reader.h"
#include "intake/json_scan.h"
#include "intake/reply_reader.h"
#include "text/fingerprint_codec.h"

namespace stillwatch::gateway {
namespace {

using intake::kJsonPadding;

// Texts of a client, which may be as long as its headers: cut, and counted. Real ones are a tenth of this.
constexpr std::size_t kTextBytesMax = 1'024;
constexpr std::size_t kHeadersMax = 100;
constexpr std::size_t kHeaderNamesBytesMax = 4'096;
constexpr std::size_t kModelBytesMax = 255;

constexpr std::string_view name_of(event::Dialect dialect) {
  switch (dialect) {
    case event::Dialect::openai_chat: return "openai.chat";
    case event::Dialect::openai_responses: return "openai.responses";
    case event::Dialect::anthropic_messages: return "anthropic.messages";
    case event::Dialect::text: return "text";
  }
  return "text";
}

/// At most `size` bytes that end with a whole character.
std::string_view cut(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  std::size_t end = size;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

/// Whether a text stands in its line uncut and is read back as it is; said of plain ASCII only.
bool reads_as_given(std::string_view text) {
  bool plain = text.size() <= kTextBytesMax;
  for (const char letter : text) plain &= letter >= ' ' && letter <= '~';
  return plain;
}
/// Whether a time has a text that gives it back.
bool is_told(std::int64_t time_us) { return time_us >= 0 && time_us <= 9'000'000'000'000'000; }  // in 2255

/// What both kinds of records have, as texts.
struct Fields {
  std::string_view id, account, key, end_user, address, user_agent, ja4;
  std::string_view headers;  // names, each ended by `header_end`
  char header_end = '\n';
  std::uint32_t asn = 0;
  event::Dialect dialect = event::Dialect::text;
  std::int64_t time_us = 0, ended_us = 0;
  bool shed = false;
};

}  // namespace

struct RecordLine::State {
  State(const crypto::KeyedHash& keyed_hash, Content content_, const intake::Identities* identities)
      : content(content_), reader(keyed_hash), builder(keyed_hash, identities) {}

  Content content;
  intake::BodyReader reader;
  intake::ReplyReader replies;
  std::string reply;  // reply_json, and padding
  intake::RecordBuilder builder;
  std::uint64_t texts_cut = 0;

  /// As the parser of a line does it: depth, form, then the dialect's fields.
  std::optional<intake::Refusal> read(event::Dialect dialect, std::string_view text, intake::Body& body,
                                      std::string_view reply_json = {}) {
    // Within a line it nests one deeper.
    if (intake::nests_deeper(text, base::limits::kJsonDepthMax - 1))
      return intake::Refusal{intake::RejectReason::too_deep, "request"};
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    const bool is_broken = first == std::string_view::npos || (text[first] == '{' && !is_one_object(text));
    if (is_broken) return intake::Refusal{intake::RejectReason::not_json, "request"};
    return reader.read(dialect, text, body, reply_json);
  }

  /// The text of the answer in the least body that its dialect has for one: the same from a stream and from a body, and
  /// no byte of it that was not read. Empty when none was kept. Readable padding is behind it; until the next call.
  std::string_view reply_json(Exchange& exchange) {
    reply.clear();
    if (exchange.reply.empty()) return {};
    std::string_view said = exchange.reply;
    if (exchange.reply_is_body) {
      const std::size_t size = exchange.reply.size();
      exchange.reply.append(kJsonPadding, ' ');
      said = replies.read(exchange.dialect, std::string_view(exchange.reply).substr(0, size));
    }
    switch (exchange.dialect) {
      case event::Dialect::openai_chat: reply = R"({"choices":[{"message":{"content":)"; break;
      case event::Dialect::openai_responses: reply = R"({"output":[{"content":[{"type":"output_text","text":)"; break;
      case event::Dialect::anthropic_messages: reply = R"({"content":[{"type":"text","text":)"; break;
      case event::Dialect::text: reply = R"({"choices":[{"text":)"; break;
    }
    base::append_json_string(reply, said);
    switch (exchange.dialect) {
      case event::Dialect::openai_chat: reply += "}}]}"; break;
      case event::Dialect::openai_responses: reply += "}]}]}"; break;
      case event::Dialect::anthropic_messages: reply += "}]}"; break;
      case event::Dialect::text: reply += "}]}"; break;
    }
    const std::size_t size = reply.size();
    reply.append(kJsonPadding, ' ');
    return std::string_view(reply).substr(0, size);
  }

  std::string_view shortened(std::string_view text) {
    const std::string_view out = cut(text, kTextBytesMax);
    texts_cut += out.size() < text.size() ? 1 : 0;
    return out;
  }
  static void put_text(std::string& out, std::string_view key, std::string_view text) {
    if (text.empty()) return;
    out += key;
    base::append_json_string(out, text);
  }
  static void put_time(std::string& out, std::string_view key, std::int64_t time_us) {
    char text[base::kTimeTextBytes];
    out += key;
    out += '"';
    out.append(text, base::write_time(time_us, text));
    out += '"';
  }
  static void put_number(std::string& out, std::string_view key, std::uint64_t number) {
    out += key;
    base::append_json_number(out, number);
  }

  /// Up to and with the dialect.
  void put_fields(const Fields& fields, std::string& out) {
    out = R"({"v":1,"id":)";
    base::append_json_string(out, fields.id);
    put_time(out, R"(,"time":)", fields.time_us);
    if (fields.ended_us > 0) put_time(out, R"(,"ended":)", fields.ended_us);
    out += R"(,"account":)";
    base::append_json_string(out, fields.account);
    put_text(out, R"(,"key":)", shortened(fields.key));
    put_text(out, R"(,"end_user":)", shortened(fields.end_user));
    // The mark comes before what may be refused.
    if (fields.shed) out += R"(,"shed":true)";
    out += R"(,"client":{)";
    const std::size_t empty = out.size();
    put_text(out, R"("ip":)", shortened(fields.address));
    if (fields.asn != 0) put_number(out, out.size() == empty ? R"("asn":)" : R"(,"asn":)", fields.asn);
    put_text(out, out.size() == empty ? R"("user_agent":)" : R"(,"user_agent":)", shortened(fields.user_agent));
    put_text(out, out.size() == empty ? R"("ja4":)" : R"(,"ja4":)", shortened(fields.ja4));
    if (!fields.headers.empty()) {
      out += out.size() == empty ? R"("headers":[)" : R"(,"headers":[)";
      put_headers(fields, out);
      out += ']';
    }
    out += R"(},"dialect":")";
    out += name_of(fields.dialect);
    out += '"';
  }

  void put_headers(const Fields& fields, std::string& out) {
    std::string_view rest = cut(fields.headers, kHeaderNamesBytesMax);
    bool is_cut = rest.size() < fields.headers.size();
    std::size_t count = 0;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(fields.header_end), rest.size());
      if (end > 0) {
        if (count == kHeadersMax) {
          is_cut = true;
          break;
        }
        if (count++ > 0) out += ',';
        base::append_json_string(out, rest.substr(0, end));
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    texts_cut += is_cut ? 1 : 0;
  }

  static void put_fingerprint(const event::Fingerprint& fingerprint, std::string_view model, bool sampled_many,
                              std::string& out) {
    put_number(out, R"(,"fingerprint":{"v":)", static_cast<std::uint64_t>(text::kFingerprintVersion));
    out += R"(,"b":")";
    out += base::base64_encode(text::encode(fingerprint));
    out += '"';
    put_text(out, R"(,"model":)", cut(model, kModelBytesMax));
    if (sampled_many) out += R"(,"n":2)";
    out += '}';
  }
  static void put_refused(intake::RejectReason reason, std::string& out) {
    put_number(out, R"(,"fingerprint":{"v":)", static_cast<std::uint64_t>(text::kFingerprintVersion));
    out += R"(,"refused":")";
    out += intake::name(reason);
    out += "\"}";
  }
  /// Line breaks of a body stand between its values only: within strings they would not have been read.
  static void put_body(std::string_view body, std::string& out) {
    out += R"(,"request":)";
    const std::size_t from = out.size();
    out += body;
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(from), out.end(),
        [](char letter) { return letter == '\n' || letter == '\r'; }, ' ');
  }
  static void end(std::string& out) {
    out += '}';
    out.reserve(out.size() + kJsonPadding);
  }

  /// What the parser makes of a line with these fields. False for what reads otherwise than it was given: cut texts,
  /// bytes that are no UTF-8, times without a text.
  bool make(const Fields& fields, const Exchange& exchange, const intake::Body& body, std::size_t line_bytes,
            intake::ParsedLine& out) {
    bool good = reads_as_given(fields.id) & reads_as_given(fields.account) & reads_as_given(fields.key) &
                reads_as_given(fields.end_user) & reads_as_given(fields.address) & reads_as_given(fields.user_agent) &
                reads_as_given(fields.ja4) & (body.model_name.size() <= kModelBytesMax) &
                reads_as_given(body.model_name);
    good = good && is_told(fields.time_us) && is_told(fields.ended_us);
    if (!good || fields.headers.size() > kTextBytesMax) return false;
    builder.begin(line_bytes, out);
    if (builder.set_id(fields.id) || builder.set_account(fields.account)) return false;
    builder.set_time_us(fields.time_us);
    if (fields.ended_us > 0) builder.set_ended_us(fields.ended_us);
    if (!fields.key.empty()) builder.set_key(fields.key);
    if (!fields.end_user.empty()) builder.set_end_user(fields.end_user);
    builder.set_shed(fields.shed);
    if (!fields.address.empty()) builder.set_address(fields.address);
    builder.set_asn(fields.asn);
    builder.set_user_agent(fields.user_agent);
    builder.set_ja4(fields.ja4);
    std::size_t headers = 0;
    for (std::string_view rest = fields.headers; !rest.empty();) {
      const std::string_view name = rest.substr(0, rest.find(fields.header_end));
      rest.remove_prefix(std::min(name.size() + 1, rest.size()));
      if (name.empty()) continue;
      if (++headers > kHeadersMax || !reads_as_given(name)) return false;
      builder.add_header(name);
    }
    builder.set_dialect(fields.dialect);
    builder.set_fingerprint(body.fingerprint);
    builder.set_given_model(body.model_name);
    builder.set_given_sampled_many(body.sampled_many);
    builder.set_status(exchange.status);
    if (exchange.has_usage) {
      builder.set_input_tokens(exchange.input_tokens);
      builder.set_output_tokens(exchange.output_tokens);
      builder.set_reasoning_tokens(exchange.reasoning_tokens);
    }
    return !builder.finish();
  }
};

RecordLine::RecordLine(const crypto::KeyedHash& keyed_hash, Content content, const intake::Identities* identities)
    : state_(std::make_unique<State>(keyed_hash, content, identities)) {}
RecordLine::~RecordLine() = default;
intake::NewIds& RecordLine::new_ids() { return state_->builder.new_ids(); }

void RecordLine::read(EarlyBody& body) {
  if (body.is_read) return;
  State& state = *state_;
  intake::Body found;
  const std::size_t size = body.body.size();
  body.body.append(kJsonPadding, ' ');
  body.refusal = state.read(body.dialect, std::string_view(body.body).substr(0, size), found);
  body.fingerprint = found.fingerprint;
  body.model_name = found.model_name;
  body.end_user_name = found.end_user_name;
  body.sampled_many = found.sampled_many;
  std::string().swap(body.body);
  body.is_read = true;
}

bool RecordLine::write(Exchange& exchange, bool shed, std::string& out, intake::ParsedLine* record) {
  State& state = *state_;
  Fields fields{exchange.id,      exchange.account,    exchange.key, exchange.end_user,
                exchange.address, exchange.user_agent, exchange.ja4, exchange.headers};
  fields.asn = exchange.asn;
  fields.dialect = exchange.dialect;
  fields.time_us = exchange.arrived_us;
  fields.ended_us = exchange.ended_us;
  fields.shed = shed || exchange.shed;
  intake::Body body;
  std::optional<intake::Refusal> refusal;
  const std::size_t body_bytes = exchange.body.size();
  const bool has_body = !exchange.shed && exchange.body_state == BodyState::whole;
  std::string_view reply_json;
  if (has_body && exchange.early) {
    read(*exchange.early);
    const EarlyBody& early = *exchange.early;
    refusal = early.refusal;
    if (refusal) ++counters_.bodies_refused;
    body.fingerprint = early.fingerprint;
    body.model_name = early.model_name;
    body.end_user_name = early.end_user_name;
    body.sampled_many = early.sampled_many;
    if (!refusal && fields.end_user.empty()) fields.end_user = body.end_user_name;
  } else if (has_body) {
    exchange.body.append(kJsonPadding, ' ');
    const std::string_view text = std::string_view(exchange.body).substr(0, body_bytes);
    reply_json = state.reply_json(exchange);
    refusal = state.read(exchange.dialect, text, body, reply_json);
    if (refusal) ++counters_.bodies_refused;
    if (!refusal && fields.end_user.empty()) fields.end_user = body.end_user_name;
  } else if (!exchange.shed) {
    const bool is_absent = exchange.body_state == BodyState::absent;
    refusal = intake::Refusal{is_absent ? intake::RejectReason::missing_field : intake::RejectReason::line_too_long,
                              "request"};
    ++(is_absent ? counters_.bodies_absent : counters_.bodies_too_large);
  }
  state.put_fields(fields, out);
  // The rest of a line takes a few KB at most.
  constexpr std::size_t kRoom = 64U << 10;
  bool has_content = false;
  bool has_fingerprint = false;
  if (refusal) {
    State::put_refused(refusal->reason, out);
  } else if (has_body && !exchange.early && state.content == Content::full &&
             body_bytes + reply_json.size() + kRoom < base::limits::kLineBytesMax) {
    State::put_body(std::string_view(exchange.body).substr(0, body_bytes), out);
    has_content = true;
  } else {
    State::put_fingerprint(body.fingerprint, body.model_name, body.sampled_many, out);
    has_fingerprint = has_body;
  }
  State::put_number(out, R"(,"response":{"status":)", exchange.status);
  if (exchange.ttft_ms >= 0) State::put_number(out, R"(,"ttft_ms":)", static_cast<std::uint64_t>(exchange.ttft_ms));
  if (exchange.duration_ms >= 0)
    State::put_number(out, R"(,"duration_ms":)", static_cast<std::uint64_t>(exchange.duration_ms));
  State::put_text(out, R"(,"stop":)", cut(exchange.stop, 64));
  if (exchange.has_usage) {
    State::put_number(out, R"(,"usage":{"input_tokens":)", exchange.input_tokens);
    State::put_number(out, R"(,"output_tokens":)", exchange.output_tokens);
    State::put_number(out, R"(,"reasoning_tokens":)", exchange.reasoning_tokens);
    State::put_number(out, R"(,"cached_tokens":)", exchange.cached_tokens);
    out += '}';
  }
  if (has_content && !reply_json.empty()) {
    out += R"(,"body":)";
    out += reply_json;
  }
  out += '}';
  State::end(out);
  ++counters_.written;
  counters_.texts_cut = state.texts_cut;
  const bool given = record != nullptr && has_fingerprint && state.make(fields, exchange, body, out.size(), *record);
  exchange.body.resize(body_bytes);
  return given;
}

void RecordLine::write(const intake::RawRecord& raw, const event::Query& query, bool shed, std::string& out) {
  State& state = *state_;
  const bool is_refused = (query.flags & event::kFlagRejected) != 0;
  Fields fields{raw.id, raw.account, raw.key, raw.end_user, raw.address, raw.user_agent, raw.ja4, raw.headers};
  fields.header_end = ',';
  fields.asn = query.asn;
  fields.dialect = query.dialect;
  fields.time_us = query.time_us;
  fields.ended_us = query.ended_us;
  fields.shed = shed || (query.flags & event::kFlagShed) != 0;
  state.put_fields(fields, out);
  if (is_refused) {
    State::put_refused(intake::RejectReason::missing_field, out);
  } else {
    State::put_fingerprint(query.fingerprint, raw.model, (query.flags & event::kFlagSampledMany) != 0, out);
    State::put_number(out, R"(,"response":{"status":)", query.status);
    State::put_number(out, R"(,"usage":{"input_tokens":)", query.input_tokens);
    State::put_number(out, R"(,"output_tokens":)", query.output_tokens);
    State::put_number(out, R"(,"reasoning_tokens":)", query.reasoning_tokens);
    out += "}}";
  }
  State::end(out);
  ++counters_.written;
  counters_.texts_cut = state.texts_cut;
}

void RecordLine::write(const Gap& gap, std::string& out) {
  out = R"({"v":1,"id":)";
  base::append_json_string(out, gap.id);
  State::put_time(out, R"(,"time":)", gap.time_us);
  out += R"(,"account":"stillwatch.gap","shed":true,"dialect":"text","request":{"prompt":""},"gap":{"since":)";
  State::put_time(out, "", gap.since_us);
  State::put_number(out, R"(,"records":)", gap.records);
  State::put_text(out, R"(,"reason":)", gap.reason);
  out += '}';
  State::end(out);
  ++counters_.written;
}

}  // namespace stillwatch::gateway
