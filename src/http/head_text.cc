#include "http/head_text.h"

#include <charconv>

#include "http/bytes.h"

namespace stillwatch::http {
namespace {

constexpr std::size_t kHeadBytesUsual = 1'000;  // what nearly all heads fit into: one allocation

template <class N>
void append_number(N number, int base, std::string& out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
  out.append(digits, end);
}

bool framing_name(std::string_view name) {
  switch (name.size()) {
    case 10: return same_name(name, "connection") || same_name(name, "keep-alive");
    case 14: return same_name(name, "content-length");
    case 17: return same_name(name, "transfer-encoding");
    default: return false;
  }
}

void append_fields(const Fields& fields, std::string& out) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string_view name = fields.name(i);
    if (framing_name(name)) continue;
    out.append(name).append(": ").append(fields.value(i)).append("\r\n");
  }
}

void append_framing(bool chunked, const std::optional<std::uint64_t>& length, std::string& out) {
  if (chunked) {
    out += "transfer-encoding: chunked\r\n";
  } else if (length) {
    out += "content-length: ";
    append_number(*length, 10, out);
    out += "\r\n";
  }
}

}  // namespace

bool append_request_head(const RequestHead& head, std::string& out) {
  if (head.method.empty() || !all_of(head.method, kTokenBytes)) return false;
  if (head.target.empty() || !all_of(head.target, kTargetBytes)) return false;
  out.reserve(out.size() + kHeadBytesUsual);
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  append_fields(head.fields, out);
  append_framing(head.chunked, head.content_length, out);
  if (!head.keep_alive) out += "connection: close\r\n";
  out += "\r\n";
  return true;
}

void append_response_head(const ResponseHead& head, bool keep_alive, int version_minor, std::string& out) {
  out.reserve(out.size() + kHeadBytesUsual);
  out += "HTTP/1.1 ";
  append_number(head.status, 10, out);
  out += ' ';
  const std::string_view reason = head.reason.empty() ? usual_reason(head.status) : std::string_view(head.reason);
  for (const char c : reason) out += kValueBytes[static_cast<unsigned char>(c)] ? c : ' ';
  out += "\r\n";
  append_fields(head.fields, out);
  append_framing(head.chunked, head.content_length, out);
  if (!keep_alive)
    out += "connection: close\r\n";
  else if (version_minor == 0)
    out += "connection: keep-alive\r\n";
  out += "\r\n";
}

void append_chunk_size(std::uint64_t size, std::string& out) {
  append_number(size, 16, out);
  out += "\r\n";
}

}  // namespace stillwatch::http
