#include "http/head_scan.h"

#include "http/bytes.h"

namespace stillwatch::http {
namespace {

constexpr std::size_t kMethodBytesMax = 32;  // the longest registered one has 17. Longer: 501

/// Digits only, and no overflow.
bool parse_length(std::string_view text, std::uint64_t& value) {
  if (text.empty() || text.size() > 19) return false;  // 19 digits stay below 2^64
  value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return true;
}

/// `content_length` and the like: servers behind that turn names into variables take both spellings for one.
bool disguised_framing(std::string_view name) {
  if (name.find('_') == std::string_view::npos) return false;
  std::string plain(name);
  for (char& c : plain)
    if (c == '_') c = '-';
  return same_name(plain, "content-length") || same_name(plain, "transfer-encoding");
}

bool good_host(std::string_view host) { return !host.empty() && all_of(host, kHostBytes); }

/// Origin-form of a target; what it may not be is refused.
Refusal reduce_target(std::string_view method, std::string_view target, std::string_view host, std::string& out) {
  if (target.front() == '/') {
    out = target;
    return {};
  }
  if (target == "*") {
    if (method != "OPTIONS") return {400, "target * without OPTIONS"};
    out = target;
    return {};
  }
  std::size_t scheme = 0;
  if (target.size() > 7 && same_name(target.substr(0, 7), "http://")) scheme = 7;
  if (target.size() > 8 && same_name(target.substr(0, 8), "https://")) scheme = 8;
  if (scheme == 0) return {400, "target is neither a path nor a URL"};
  const std::string_view rest = target.substr(scheme);
  const std::size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  if (!good_host(authority)) return {400, "bad host in the target"};
  if (!host.empty() && !same_name(authority, host)) return {400, "host of the target is not the host field"};
  out = rest.substr(slash);
  if (out.empty() || out.front() != '/') out.insert(out.begin(), '/');
  return {};
}

}  // namespace

std::size_t HeadEnd::find(std::string_view bytes, const HeadLimits& limits, Refusal& refusal) {
  while (scanned_ < bytes.size()) {
    const std::size_t feed = bytes.find('\n', scanned_);
    if (feed == std::string_view::npos) {
      scanned_ = bytes.size();
      break;
    }
    if (feed == 0 || bytes[feed - 1] != '\r') {
      refusal = {400, "a line ends without CR"};
      return 0;
    }
    scanned_ = feed + 1;
    if (feed - line_at_ == 1) {
      if (line_at_ == 0) {
        refusal = {400, "an empty line before the head"};
        return 0;
      }
      if (scanned_ > limits.head_bytes_max) break;
      return scanned_;
    }
    line_at_ = scanned_;
  }
  if (scanned_ >= limits.head_bytes_max) {
    const bool first_line = line_at_ == 0;
    refusal = first_line ? Refusal{414, "the target is too long"} : Refusal{431, "the head is too large"};
  }
  return 0;
}

struct HeadScan::Framing {
  std::optional<std::uint64_t> content_length;
  bool transfer_encoding = false, chunked = false;
  bool close = false, keep_alive = false, expects_continue = false, other_expectation = false;
  std::size_t hosts = 0;
  std::string_view host;
};

Refusal HeadScan::one_field(std::string_view name, std::string_view value, Framing& framing) {
  switch (name.size()) {
    case 4:
      if (same_name(name, "host")) {
        ++framing.hosts;
        framing.host = value;
      }
      break;
    case 6:
      if (same_name(name, "expect")) {
        framing.expects_continue = same_name(value, "100-continue");
        framing.other_expectation = !framing.expects_continue;
      }
      break;
    case 10:
      if (same_name(name, "connection"))
        for_each_element(value, [&](std::string_view option) {
          framing.close |= same_name(option, "close");
          framing.keep_alive |= same_name(option, "keep-alive");
        });
      break;
    case 14: {
      if (!same_name(name, "content-length")) break;
      std::uint64_t length = 0;
      if (framing.content_length) return {400, "more than one content-length"};
      if (!parse_length(value, length)) return {400, "bad content-length"};
      framing.content_length = length;
      break;
    }
    case 17:
      if (!same_name(name, "transfer-encoding")) break;
      if (framing.transfer_encoding) return {400, "more than one transfer-encoding"};
      framing.transfer_encoding = true;
      framing.chunked = same_name(value, "chunked");
      break;
    default: break;
  }
  if (disguised_framing(name)) return {400, "a framing field in disguise"};
  return {};
}

Refusal HeadScan::fields(std::string_view block, std::size_t offset, const HeadLimits& limits, Fields& out,
                         Framing& framing) {
  out.text_.assign(block);
  out.entries_.clear();
  out.entries_.reserve(16);
  const std::string_view text = out.text_;
  std::size_t at = offset;
  const std::size_t end = text.size() - 2;  // the empty line
  while (at < end) {
    const std::size_t line_end = text.find('\r', at);
    if (line_end == std::string_view::npos || line_end + 1 >= text.size() || text[line_end + 1] != '\n')
      return {400, "CR within a line"};
    if (out.entries_.size() == limits.fields_max) return {431, "too many fields"};
    const std::string_view line = text.substr(at, line_end - at);
    if (line.front() == ' ' || line.front() == '\t') return {400, "a folded line"};
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return {400, "a field without a colon"};
    const std::string_view name = line.substr(0, colon);
    if (name.empty() || !all_of(name, kTokenBytes)) return {400, "bad name of a field"};
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!all_of(value, kValueBytes)) return {400, "a control byte in a field"};
    out.entries_.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(colon),
                            static_cast<std::uint32_t>(value.data() - text.data()),
                            static_cast<std::uint32_t>(value.size())});
    if (const Refusal refusal = one_field(name, value, framing)) return refusal;
    at = line_end + 2;
  }
  return {};
}

Refusal HeadScan::request(std::string_view block, const HeadLimits& limits, RequestHead& head) {
  const std::size_t line_end = block.find("\r\n");
  if (line_end == std::string_view::npos || line_end + 4 > block.size()) return {400, "no complete head"};
  const std::string_view line = block.substr(0, line_end);
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return {400, "bad request line"};
  const std::string_view method = line.substr(0, first);
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return {400, "bad request line"};
  const std::string_view target = line.substr(first + 1, second - first - 1), version = line.substr(second + 1);
  if (method.empty() || !all_of(method, kTokenBytes)) return {400, "bad method"};
  if (method.size() > kMethodBytesMax) return {501, "unknown method"};
  if (target.empty() || !all_of(target, kTargetBytes)) return {400, "bad byte in the target"};
  if (target.size() > limits.target_bytes_max) return {414, "the target is too long"};
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || version[6] != '.' || version[5] < '0' ||
      version[5] > '9' || version[7] < '0' || version[7] > '9')
    return {400, "bad version"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {505, "the version is neither 1.0 nor 1.1"};
  if (method == "CONNECT" || method == "TRACE") return {501, "method not implemented"};

  Framing framing;
  if (const Refusal refusal = fields(block, line_end + 2, limits, head.fields, framing)) return refusal;
  head.version_minor = version[7] - '0';
  const bool old = head.version_minor == 0;
  if (framing.hosts > 1) return {400, "more than one host"};
  if (framing.hosts == 0 && !old) return {400, "no host"};
  if (framing.hosts == 1 && !good_host(framing.host)) return {400, "bad host"};
  if (framing.transfer_encoding && framing.content_length) return {400, "content-length with transfer-encoding"};
  if (framing.transfer_encoding && old) return {400, "transfer-encoding in HTTP/1.0"};
  if (framing.transfer_encoding && !framing.chunked) return {501, "transfer-encoding is not chunked"};
  if (framing.other_expectation) return {417, "unknown expectation"};
  if (const Refusal refusal = reduce_target(method, target, framing.host, head.target)) return refusal;
  head.method = method;
  head.keep_alive = old ? framing.keep_alive && !framing.close : !framing.close;
  head.content_length = framing.content_length;
  head.chunked = framing.chunked;
  head.expects_continue = framing.expects_continue && !old;
  return {};
}

Refusal HeadScan::response(std::string_view block, const HeadLimits& limits, ResponseHead& head) {
  const std::size_t line_end = block.find("\r\n");
  if (line_end == std::string_view::npos || line_end + 4 > block.size()) return {400, "no complete head"};
  const std::string_view line = block.substr(0, line_end);
  // HTTP/1.x SP 3DIGIT SP [reason]; the last space is missing in the wild.
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
    return {505, "bad version"};
  int status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return {400, "bad status"};
    status = status * 10 + (c - '0');
  }
  if (status < 100 || (line.size() > 12 && line[12] != ' ')) return {400, "bad status"};
  const std::string_view reason = line.size() > 13 ? line.substr(13) : std::string_view{};
  if (!all_of(reason, kValueBytes)) return {400, "a control byte in the reason"};
  Framing framing;
  if (const Refusal refusal = fields(block, line_end + 2, limits, head.fields, framing)) return refusal;
  if (framing.transfer_encoding && framing.content_length) return {400, "content-length with transfer-encoding"};
  if (framing.transfer_encoding && !framing.chunked) return {501, "transfer-encoding is not chunked"};
  head.version_minor = line[7] - '0';
  if (framing.transfer_encoding && head.version_minor == 0) return {400, "transfer-encoding in HTTP/1.0"};
  head.status = status;
  head.reason = reason;
  head.keep_alive = head.version_minor == 0 ? framing.keep_alive && !framing.close : !framing.close;
  head.content_length = framing.content_length;
  head.chunked = framing.chunked;
  return {};
}

}  // namespace stillwatch::http
