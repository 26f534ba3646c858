#include <algorithm>
#include <cstring>

#include "text/masking_scan.h"

namespace stillwatch::text {
namespace {

constexpr std::size_t kInlineBytesMax = 200;  // 'quoted' or `code` within a line

}  // namespace

// A quotation opens after a blank or an opening sign, not inside a word and not before a blank. Scripts
// without spaces open it right after a character.
bool MaskedText::Scan::opens(bool after_high) const {
  if (end - at < 2 || *(at + 1) == ' ' || *(at + 1) == '\n') return false;
  if (at == first) return true;
  const char before = at[-1];
  return ascii_class(before) != kLetter && ascii_class(before) != kDigit &&
         (after_high || ascii_class(before) != kHigh) && std::memchr(")]}.,;!?\"'`", before, 11) == nullptr;
}

// Masks up to the closing text when it comes within bytes_max, or to the end of a head that the quotation outlasts.
bool MaskedText::Scan::mask_until(std::string_view close, std::size_t open_bytes, std::size_t bytes_max,
                                  ItemKind kind) {
  const std::string_view rest(at + open_bytes, static_cast<std::size_t>(end - at) - open_bytes);
  const std::size_t found = rest.substr(0, bytes_max).find(close);
  if (found == std::string_view::npos) {
    if (!cut_after || rest.size() >= bytes_max) return false;
    at = end;
  } else {
    at += open_bytes + found + close.size();
  }
  out.push_mask(kind);
  return true;
}

void MaskedText::Scan::double_quote() {
  if (end - at >= 3 && at[1] == '"' && at[2] == '"') {
    if (!mask_until("\"\"\"", 3, kQuoteBytesMax, ItemKind::quote)) at += 3;
    return;
  }
  if (!opens(true) || !mask_until("\"", 1, kQuoteBytesMax, ItemKind::quote)) ++at;
}

void MaskedText::Scan::apostrophe() {
  if (opens(false)) {
    const char* stop = at + 1 + std::min<std::ptrdiff_t>(kInlineBytesMax, end - at - 1);
    for (const char* p = at + 1; p < stop && *p != '\n'; ++p) {
      if (*p != '\'' || p[-1] == ' ' || p == at + 1 || (p + 1 < end && (is_alnum(p[1]) || ascii_class(p[1]) == kHigh)))
        continue;
      at = p + 1;
      out.push_mask(ItemKind::quote);
      return;
    }
  }
  ++at;
}

void MaskedText::Scan::backtick() {
  if (end - at >= 3 && at[1] == '`' && at[2] == '`') {
    const std::string_view rest(at + 3, static_cast<std::size_t>(end - at) - 3);
    const std::size_t found = rest.find("```");
    at = found == std::string_view::npos ? end : at + 6 + found;  // an open fence runs to the end
    out.push_mask(ItemKind::code);
    return;
  }
  const std::string_view rest(at + 1, std::min<std::size_t>(kInlineBytesMax, static_cast<std::size_t>(end - at) - 1));
  const std::size_t found = rest.find('`');
  if (found == std::string_view::npos || rest.substr(0, found).find('\n') != std::string_view::npos) {
    ++at;
    return;
  }
  at += found + 2;
  out.push_mask(ItemKind::code);
}

void MaskedText::Scan::punctuation(const Decoded& decoded) {
  std::string_view close;
  switch (decoded.code) {
    case 0x201C: close = "\xE2\x80\x9D"; break;
    case 0x201E: close = "\xE2\x80\x9C"; break;
    case 0x00AB: close = "\xC2\xBB"; break;
    case 0x300C: close = "\xE3\x80\x8D"; break;
    case 0x300E: close = "\xE3\x80\x8F"; break;
    default: break;
  }
  if (!close.empty() && mask_until(close, decoded.length, kQuoteBytesMax, ItemKind::quote)) return;
  at += decoded.length;
  switch (decoded.code) {
    case 0xFF1A: return mark(':');
    case 0xFF1F: return mark('?');
    case 0x3010: return mark('[');
    case 0x3011: return mark(']');
    case 0x2022:
      if (!line_open()) mark('-');
      return;
    default: return;
  }
}

}  // namespace stillwatch::text
