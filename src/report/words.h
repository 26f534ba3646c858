// How the report speaks: numbers, times, shares, channels and strengths as a person reads them, and the
// escaping of everything that came from a log.
//
// Invariant: escape() output holds no markup, no control byte and no invisible direction mark, whatever the bytes.
// Threads: pure functions. Cost: one string each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/verdict.h"

namespace stillwatch::report {

/// HTML text and attribute values: markup escaped; invalid UTF-8, controls and bidirectional overrides shown as U+FFFD.
std::string escape(std::string_view bytes);

/// "28,800,000".
std::string grouped(std::uint64_t number);
/// "14.4 billion", "212 million", "296,400": for figures read at a glance.
std::string compact(double number);
/// "94 %", "0.8 %", "< 0.1 %": whole percents from 10 on. Never rounds up to 100 % or down to 0 %.
std::string percent(double share);
/// A number of a reason or measure: whole ones grouped, others with three digits.
std::string plain_number(double value);
/// A named figure: names that end in _share or _fraction are percents, spaces for underscores.
std::string measure_value(std::string_view name, double value);
std::string spaced(std::string_view name);
std::string counted(std::uint64_t number, std::string_view one, std::string_view many);

/// "22 Apr 2026, 18:05 UTC", and "22 Apr".
std::string date_and_time(std::int64_t time_us);
std::string day_and_month(std::int64_t time_us);
/// "45 days", "7.5 hours".
std::string duration(std::int64_t us);
std::string hours_in_words(double hours);

/// "m-large", "m-large and m-small", "a, b and 3 more".
std::string listed(const std::vector<std::string>& names, std::size_t named_max = 3);

/// "weak", "moderate", "strong", "very strong", "overwhelming".
std::string_view strength_word(double log10_e);
/// What a strength says and how far calibration carries it, as sentences.
std::string strength_sentence(const event::Strength& strength);

/// What a channel looks at, as half a sentence; what its group is called.
std::string_view channel_meaning(event::Channel channel);
std::string_view group_name(event::ChannelGroup group);
/// What a class is, and what it is not.
std::string_view class_meaning(event::Class class_);
std::string_view class_limits(event::Class class_);

}  // namespace stillwatch::report
