#include "base/event_time.h"

namespace stillwatch::base {
namespace {

// Days from 1970-01-01 for a proleptic Gregorian date, and back (H. Hinnant, "chrono-Compatible
// Low-Level Date Algorithms").
constexpr std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

struct CivilDate {
  unsigned year, month, day;
};

constexpr CivilDate civil_from_days(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const auto year = static_cast<unsigned>(static_cast<std::int64_t>(year_of_era) + era * 400) + (month <= 2 ? 1U : 0U);
  return {year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

constexpr unsigned days_in_month(unsigned year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

struct Digits {
  std::string_view text;
  bool ok = true;

  unsigned take(std::size_t count) {
    unsigned value = 0;
    if (text.size() < count) return ok = false, 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto digit = static_cast<unsigned>(text[i] - '0');
      ok &= digit <= 9;
      value = value * 10 + digit;
    }
    text.remove_prefix(count);
    return value;
  }
  void expect(char letter) {
    ok &= !text.empty() && (text[0] == letter || (letter == 'T' && (text[0] == 't' || text[0] == ' ')));
    if (!text.empty()) text.remove_prefix(1);
  }
};

void write_digits(char*& out, unsigned value, int count) {
  for (int i = count - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out += count;
}

}  // namespace

std::optional<std::int64_t> parse_time(std::string_view text) {
  Digits in{text};
  const unsigned year = in.take(4);
  in.expect('-');
  const unsigned month = in.take(2);
  in.expect('-');
  const unsigned day = in.take(2);
  in.expect('T');
  const unsigned hour = in.take(2);
  in.expect(':');
  const unsigned minute = in.take(2);
  in.expect(':');
  const unsigned second = in.take(2);
  if (!in.ok || year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
      hour > 23 || minute > 59 || second > 59) {
    return std::nullopt;
  }
  unsigned fraction_us = 0;
  if (!in.text.empty() && in.text[0] == '.') {
    in.text.remove_prefix(1);
    std::size_t digits = 0;
    while (digits < in.text.size() && in.text[digits] >= '0' && in.text[digits] <= '9') ++digits;
    if (digits == 0 || digits > 6) return std::nullopt;
    fraction_us = in.take(digits);
    for (std::size_t i = digits; i < 6; ++i) fraction_us *= 10;
  }
  std::int64_t offset_minutes = 0;
  if (in.text == "Z" || in.text == "z") {
    in.text = {};
  } else if (in.text.size() == 6 && (in.text[0] == '+' || in.text[0] == '-')) {
    const int sign = in.text[0] == '+' ? 1 : -1;
    in.text.remove_prefix(1);
    const unsigned offset_hour = in.take(2);
    in.expect(':');
    const unsigned offset_minute = in.take(2);
    if (!in.ok || offset_hour > 23 || offset_minute > 59) return std::nullopt;
    offset_minutes = sign * static_cast<std::int64_t>(offset_hour * 60 + offset_minute);
  } else {
    return std::nullopt;
  }
  const std::int64_t days = days_from_civil(year, month, day);
  const std::int64_t seconds = days * 86400 + hour * 3600LL + minute * 60LL + second - offset_minutes * 60;
  return seconds * kSecondUs + fraction_us;
}

std::size_t write_time(std::int64_t time_us, char* out) {
  std::int64_t days = time_us / kDayUs;
  std::int64_t rest = time_us % kDayUs;
  if (rest < 0) {
    rest += kDayUs;
    --days;
  }
  const CivilDate date = civil_from_days(days);
  char* at = out;
  write_digits(at, date.year, 4);
  *at++ = '-';
  write_digits(at, date.month, 2);
  *at++ = '-';
  write_digits(at, date.day, 2);
  *at++ = 'T';
  write_digits(at, static_cast<unsigned>(rest / kHourUs), 2);
  *at++ = ':';
  write_digits(at, static_cast<unsigned>(rest / kMinuteUs % 60), 2);
  *at++ = ':';
  write_digits(at, static_cast<unsigned>(rest / kSecondUs % 60), 2);
  if (const auto fraction_us = static_cast<unsigned>(rest % kSecondUs); fraction_us != 0) {
    *at++ = '.';
    write_digits(at, fraction_us, 6);
  }
  *at++ = 'Z';
  return static_cast<std::size_t>(at - out);
}

std::string format_time(std::int64_t time_us) {
  std::string text(kTimeTextBytes, '\0');
  text.resize(write_time(time_us, text.data()));
  return text;
}

}  // namespace stillwatch::base
