// The class of language of a text, as far as script and a few hundred function words tell it.
//
// Invariant: NEVER a score and never evidence. It only matches a group with benign groups of like kind when
// calibrating, and names who was hurt when errors and alarms are reported by language. Who uses it otherwise breaks the
// promise that language, country and nationality count for nothing. Values are part of the fingerprint's byte form:
// append only. Threads: plain value. Cost: one byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stillwatch::event {

enum class Language : std::uint8_t {
  unknown,  // too short, code, or two languages alike
  en,
  es,
  fr,
  de,
  pt,
  zh,
  ja,
  ko,
  ru,  // and languages that use its letters only
  ar,
  hi,
  other_latin,
  other,
};
inline constexpr std::size_t kLanguages = 14;

constexpr std::string_view name(Language language) {
  constexpr std::array<std::string_view, kLanguages> kNames{"unknown", "en", "es", "fr", "de", "pt",          "zh",
                                                            "ja",      "ko", "ru", "ar", "hi", "other_latin", "other"};
  return kNames[static_cast<std::size_t>(language)];
}

}  // namespace stillwatch::event
