#include "gateway/tail_place.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kKey = R"(,"tail":")";
constexpr std::string_view kEnd = R"("})";
constexpr std::size_t kTextBytesMax = 8 + 1 + 16 + 1 + 4 + 1 + 20;

/// The digits before the next point (or the end), all of them; nothing else may stand there.
template <class Number>
bool take_number(std::string_view& text, int base, std::size_t digits, Number& out) {
  const std::size_t end = std::min(text.find('.'), text.size());
  if (end == 0 || (digits > 0 && end != digits)) return false;
  const auto [stopped, code] = std::from_chars(text.data(), text.data() + end, out, base);
  if (code != std::errc{} || stopped != text.data() + end) return false;
  text.remove_prefix(std::min(end + 1, text.size()));
  return true;
}

}  // namespace

std::string to_text(const TailPlace& place) {
  return fmt::format("{:08x}.{:016x}.{}.{}", place.tail, place.prefix, place.prefix_bytes, place.offset);
}

std::optional<TailPlace> parse_tail_place(std::string_view text) {
  if (text.size() > kTextBytesMax || std::count(text.begin(), text.end(), '.') != 3) return std::nullopt;
  TailPlace place;
  if (!take_number(text, 16, 8, place.tail) || !take_number(text, 16, 16, place.prefix) ||
      !take_number(text, 10, 0, place.prefix_bytes) || !take_number(text, 10, 0, place.offset) || !text.empty())
    return std::nullopt;
  if (place.prefix_bytes != std::min<std::uint64_t>(place.offset, kTailPrefixBytes)) return std::nullopt;
  return place;
}

void append_place(std::string& record_line, const TailPlace& place) {
  record_line.pop_back();
  record_line += kKey;
  record_line += to_text(place);
  record_line += kEnd;
}

std::optional<TailPlace> place_at_end(std::string_view record_line) {
  if (!record_line.ends_with(kEnd)) return std::nullopt;
  record_line.remove_suffix(kEnd.size());
  // Within a text of a client the quotes of the key would be escaped, and within its body more would follow.
  const std::size_t at = record_line.rfind(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  return parse_tail_place(record_line.substr(at + kKey.size()));
}

void TailPlaces::add(const TailPlace& place) {
  TailPlace moved = place;
  const auto same =
      std::find_if(places_.rbegin(), places_.rend(), [&](const TailPlace& other) { return other.is_same_file(place); });
  if (same != places_.rend()) {
    moved.offset = std::max(moved.offset, same->offset);
    if (same == places_.rbegin()) {
      *same = moved;
      return;
    }
    places_.erase(std::next(same).base());
  }
  places_.push_back(moved);
  if (places_.size() > kTailPlacesMax) places_.pop_front();
}

void TailPlaces::save(intake::ByteWriter& out) const {
  out.put<std::uint64_t>(places_.size());
  for (const TailPlace& place : places_) {
    out.put(place.tail), out.put(place.prefix_bytes);
    out.put(place.prefix), out.put(place.offset);
  }
}

bool TailPlaces::restore(intake::ByteReader& in) {
  places_.clear();
  const std::size_t count = in.take_count(24);
  for (std::size_t i = 0; i < count; ++i) {
    TailPlace place;
    place.tail = in.take<std::uint32_t>(), place.prefix_bytes = in.take<std::uint32_t>();
    place.prefix = in.take<std::uint64_t>(), place.offset = in.take<std::uint64_t>();
    if (place.prefix_bytes > kTailPrefixBytes) return false;
    places_.push_back(place);
  }
  return in.ok() && count <= kTailPlacesMax;
}

}  // namespace stillwatch::gateway
