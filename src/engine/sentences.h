// Dates, shares and chances as a lawyer reads them: plain words, numbers with units, no powers of ten.
//
// Invariant: never says more than the number does: chances are rounded towards "more likely", and beyond one in a
// trillion no model of independent people is believed, so none smaller is ever claimed.
// Threads: pure functions. Cost: one string each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stillwatch::engine {

/// "22 April 2026, 08:00 UTC".
std::string date_in_words(std::int64_t time_us);
/// "28,800,000".
std::string with_commas(std::uint64_t number);
/// "1 account", "212 accounts".
std::string some(std::uint64_t number, std::string_view one, std::string_view many);
/// "about 1 in 400", "none" for no events: a rate of requests or accounts.
std::string rate_in_words(std::uint64_t events, std::uint64_t trials);
/// "one in 10,000", "one in a million": for a chance of at most 10^-log10_rarity. Empty below one in 10.
std::string chance_in_words(double log10_rarity);

}  // namespace stillwatch::engine
