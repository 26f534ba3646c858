// The language class of one prompt, from its script and its function words (event/language.h).
//
// Invariant: NEVER a score and never evidence, see event/language.h. A pure function of the masked text: quoted text,
// code and numbers do not count; at most kLanguageItemsMax items from the begin are read, so its cost does not grow
// with the text. Where two languages are equally likely the answer is `unknown`: matching a group with the wrong kind
// is worse than with none. Threads: pure function, the table is built once. Cost: 15 to 45 ns.
#pragma once

#include <string_view>

#include "event/language.h"
#include "text/masking.h"

namespace stillwatch::text {

inline constexpr std::size_t kLanguageItemsMax = 32;  // a sentence or two
inline constexpr unsigned kFunctionWordsMax = 8;      // enough to tell; the rest is not read

event::Language language_of(const MaskedText& text);

/// The languages whose function word this is, as names with blanks between; for tests.
std::string_view function_words_of(event::Language language);

}  // namespace stillwatch::text
