#include "sim/record.h"

#include <cstring>

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

constexpr std::size_t kFixedBytes = 1'400;  // everything of a line but the texts of the draft

char* put(char* out, std::string_view text) {
  if (text.empty()) return out;
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_number(char* out, std::uint64_t value) {
  char digits[20];
  std::size_t at = sizeof digits;
  do {
    digits[--at] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return put(out, {digits + at, sizeof digits - at});
}

char* put_address(char* out, std::uint32_t address) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out = put_number(out, address >> shift & 0xFF);
    if (shift > 0) *out++ = '.';
  }
  return out;
}

char* put_time(char* out, std::int64_t time_us) { return out + base::write_time(time_us, out); }

constexpr std::string_view kDialects[] = {"openai.chat", "openai.responses", "anthropic.messages", "text"};

char* put_end_user(char* out, const Draft& draft, const Names& names) {
  out = put(out, "u-");
  return write_hex(names.derived(draft.end_user, 3), out);
}

char* put_request(char* out, const Draft& draft, const Names& names) {
  out = put(out, "{\"model\":\"");
  out = put(out, draft.model);
  *out++ = '"';
  switch (draft.dialect) {
    case Dialect::openai_chat:
      out = put(out, ",\"messages\":[");
      if (!draft.system.empty()) {
        out = put(out, "{\"role\":\"system\",\"content\":\"");
        out = put(out, draft.system);
        out = put(out, "\"},");
      }
      break;
    case Dialect::openai_responses:
      if (!draft.system.empty()) {
        out = put(out, ",\"instructions\":\"");
        out = put(out, draft.system);
        *out++ = '"';
      }
      out = put(out, ",\"input\":[");
      break;
    case Dialect::anthropic_messages:
      if (!draft.system.empty()) {
        out = put(out, ",\"system\":\"");
        out = put(out, draft.system);
        *out++ = '"';
      }
      out = put(out, ",\"messages\":[");
      break;
    case Dialect::text: {
      out = put(out, ",\"prompt\":\"");
      if (!draft.system.empty()) {
        out = put(out, draft.system);
        out = put(out, "\\n\\n");
      }
      out = put(out, draft.prompt);
      *out++ = '"';
      break;
    }
  }
  if (draft.dialect != Dialect::text) {
    out = put(out, draft.history);
    out = put(out, "{\"role\":\"user\",\"content\":\"");
    out = put(out, draft.prompt);
    out = put(out, "\"}]");
    if (!draft.tools.empty()) {
      out = put(out, ",\"tools\":");
      out = put(out, draft.tools);
    }
  }
  out = put(out, draft.params);
  if (draft.end_user != 0 && draft.end_user_in_body) {
    out = put(out, draft.dialect == Dialect::anthropic_messages ? ",\"metadata\":{\"user_id\":\"" : ",\"user\":\"");
    out = put_end_user(out, draft, names);
    out = put(out, draft.dialect == Dialect::anthropic_messages ? "\"}" : "\"");
  }
  *out++ = '}';
  return out;
}

char* put_body(char* out, const Draft& draft) {
  switch (draft.dialect) {
    case Dialect::openai_chat:
      out = put(out,
                ",\"body\":{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
                "\"assistant\",\"content\":\"");
      out = put(out, draft.reply);
      return put(out, "\"}}]}");
    case Dialect::openai_responses:
      out = put(out,
                ",\"body\":{\"object\":\"response\",\"output\":[{\"type\":\"message\",\"role\":\"assistant\","
                "\"content\":[{\"type\":\"output_text\",\"text\":\"");
      out = put(out, draft.reply);
      return put(out, "\"}]}]}");
    case Dialect::anthropic_messages:
      out = put(out,
                ",\"body\":{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"");
      out = put(out, draft.reply);
      return put(out, "\"}]}");
    case Dialect::text:
      out = put(out, ",\"body\":{\"text\":\"");
      out = put(out, draft.reply);
      return put(out, "\"}");
  }
  return out;
}

}  // namespace

char* write_hex(std::uint64_t value, char* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *out++ = kHex[value >> shift & 15];
  return out;
}

void append_hex(std::uint64_t value, std::size_t digits, std::string& out) {
  char text[16];
  write_hex(value, text);
  out.append(text, digits);
}

void write_query(const Draft& draft, const Names& names, std::uint64_t record, ByteBuffer& buffer) {
  const std::size_t texts = draft.client.size() + draft.system.size() + draft.tools.size() + draft.params.size() +
                            draft.history.size() + draft.prompt.size() + draft.model.size() + draft.reply.size();
  char* out = buffer.reserve(kFixedBytes + texts);
  const bool failed = draft.status != 200;
  out = put(out, "{\"v\":1,\"id\":\"req_");
  out = write_hex(names.record(record), out);
  out = put(out, "\",\"time\":\"");
  out = put_time(out, draft.time_us);
  out = put(out, "\",\"ended\":\"");
  out = put_time(out, draft.time_us + draft.duration_us);
  out = put(out, "\",\"account\":\"acct_");
  out = write_hex(names.account(draft.account), out);
  *out++ = '"';
  if (draft.key != 0) {
    out = put(out, ",\"key\":\"key_");
    out = write_hex(names.derived(draft.key, 2), out);
    *out++ = '"';
  }
  if (draft.end_user != 0 && !draft.end_user_in_body) {
    out = put(out, ",\"end_user\":\"");
    out = put_end_user(out, draft, names);
    *out++ = '"';
  }
  out = put(out, ",\"client\":{\"ip\":\"");
  out = put_address(out, draft.address);
  out = put(out, "\",\"asn\":");
  out = put_number(out, draft.asn);
  out = put(out, ",\"country\":\"");
  out = put(out, draft.country);
  out = put(out, "\",");
  out = put(out, draft.client);
  out = put(out, "},\"dialect\":\"");
  out = put(out, kDialects[static_cast<std::size_t>(draft.dialect)]);
  out = put(out, "\",\"request\":");
  out = put_request(out, draft, names);
  out = put(out, ",\"response\":{\"status\":");
  out = put_number(out, draft.status);
  if (!failed) {
    out = put(out, ",\"ttft_ms\":");
    out = put_number(out, static_cast<std::uint64_t>(draft.ttft_us / 1000));
  }
  out = put(out, ",\"duration_ms\":");
  out = put_number(out, static_cast<std::uint64_t>(draft.duration_us / 1000));
  if (!failed) {
    const std::uint64_t input_bytes =
        draft.system.size() + draft.tools.size() + draft.history.size() + draft.prompt.size();
    out = put(out, ",\"stop\":\"");
    out = put(out, draft.stop);
    out = put(out, "\",\"usage\":{\"input_tokens\":");
    out = put_number(out, 4 + input_bytes / 4);
    out = put(out, ",\"output_tokens\":");
    out = put_number(out, draft.output_tokens);
    out = put(out, ",\"reasoning_tokens\":");
    out = put_number(out, draft.reasoning_tokens);
    out = put(out, ",\"cached_tokens\":");
    out = put_number(out, draft.cached_tokens);
    *out++ = '}';
    if (!draft.reply.empty()) out = put_body(out, draft);
  }
  out = put(out, "}}\n");
  buffer.commit(out);
}

void write_query_truth(const Draft& draft, const Names& names, std::uint64_t record, ByteBuffer& buffer) {
  char* out = buffer.reserve(256);
  out = put(out, "{\"id\":\"req_");
  out = write_hex(names.record(record), out);
  out = put(out, "\",\"account\":\"acct_");
  out = write_hex(names.account(draft.account), out);
  out = put(out, "\",\"time\":\"");
  out = put_time(out, draft.time_us);
  out = put(out, "\",\"output_tokens\":");
  out = put_number(out, draft.status == 200 ? draft.output_tokens : 0);
  out = put(out, ",\"hostile\":true}\n");
  buffer.commit(out);
}

}  // namespace stillwatch::sim
