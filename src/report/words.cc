#include "report/words.h"

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/json_text.h"

namespace stillwatch::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Characters that show nothing and change how the text around them is read.
bool misleads(std::string_view character) {
  if (character.size() != 3) return false;
  const auto code = (static_cast<unsigned char>(character[0]) & 0x0FU) << 12 |
                    (static_cast<unsigned char>(character[1]) & 0x3FU) << 6 |
                    (static_cast<unsigned char>(character[2]) & 0x3FU);
  return (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

std::string trimmed(std::string number) {
  if (number.find('.') == std::string::npos) return number;
  while (number.back() == '0') number.pop_back();
  if (number.back() == '.') number.pop_back();
  return number;
}

// Three digits that matter, no exponent between 1e-3 and 1e6.
std::string three_digits(double value) {
  const double size = std::fabs(value);
  if (size >= 100) return fmt::format("{:.0f}", value);
  if (size >= 10) return trimmed(fmt::format("{:.1f}", value));
  if (size >= 1) return trimmed(fmt::format("{:.2f}", value));
  if (size >= 1e-3) return trimmed(fmt::format("{:.3f}", value));
  return fmt::format("{:.1e}", value);
}

}  // namespace

std::string escape(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = base::utf8_length(bytes);
    const std::string_view character = bytes.substr(0, std::max<std::size_t>(length, 1));
    const auto byte = static_cast<unsigned char>(character[0]);
    if (length == 0 || byte < 0x20 || byte == 0x7F || misleads(character)) {
      out += byte == '\n' || byte == '\t' || byte == '\r' ? std::string_view(" ") : kReplacement;
    } else if (length == 2 && byte == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0) {
      out += kReplacement;  // C1 controls
    } else if (byte == '&') {
      out += "&amp;";
    } else if (byte == '<') {
      out += "&lt;";
    } else if (byte == '>') {
      out += "&gt;";
    } else if (byte == '"') {
      out += "&quot;";
    } else if (byte == '\'') {
      out += "&#39;";
    } else {
      out += character;
    }
    bytes.remove_prefix(character.size());
  }
  return out;
}

std::string grouped(std::uint64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string compact(double number) {
  constexpr std::array<std::pair<double, std::string_view>, 3> kScales{
      {{1e12, "trillion"}, {1e9, "billion"}, {1e6, "million"}}};
  for (const auto& [scale, word] : kScales) {
    if (number >= scale) return fmt::format("{} {}", three_digits(number / scale), word);
  }
  return grouped(static_cast<std::uint64_t>(std::llround(std::max(number, 0.0))));
}

std::string percent(double share) {
  const double value = share * 100;
  if (!(value > 0)) return "0 %";
  if (value >= 100) return "100 %";
  if (value < 0.001) return fmt::format("{:.0e} %", value);
  if (value < 0.1) return fmt::format("{:.3f} %", value);
  if (value < 10) return fmt::format("{:.1f} %", value);
  if (value > 99) return fmt::format("{:.1f} %", std::floor(value * 10) / 10);
  return fmt::format("{:.0f} %", value);
}

std::string plain_number(double value) {
  if (!std::isfinite(value)) return "-";
  if (std::fabs(value) < 1e15 && value == std::trunc(value)) {
    return fmt::format("{}{}", value < 0 ? "-" : "", grouped(static_cast<std::uint64_t>(std::fabs(value))));
  }
  if (std::fabs(value) >= 1e15) return fmt::format("{:.2e}", value);  // no integer holds every double
  if (std::fabs(value) >= 1000)
    return fmt::format("{}{}", value < 0 ? "-" : "",
                       grouped(static_cast<std::uint64_t>(std::llround(std::fabs(value)))));
  return three_digits(value);
}

std::string measure_value(std::string_view name, double value) {
  if ((name.ends_with("share") || name.ends_with("fraction")) && value >= 0 && value <= 1) return percent(value);
  return plain_number(value);
}

std::string spaced(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", grouped(number), number == 1 ? one : many);
}

std::string date_and_time(std::int64_t time_us) {
  const std::string text = base::format_time(time_us);
  return fmt::format("{} {}, {} UTC", day_and_month(time_us), text.substr(0, 4), text.substr(11, 5));
}

std::string day_and_month(std::int64_t time_us) {
  const std::string text = base::format_time(time_us);
  const int month = (text[5] - '0') * 10 + (text[6] - '0');
  const int day = (text[8] - '0') * 10 + (text[9] - '0');
  return fmt::format("{} {}", day, kMonths[static_cast<std::size_t>(month - 1)]);
}

std::string hours_in_words(double hours) {
  if (hours < 0) return "never";
  if (hours < 1) return fmt::format("{} min", three_digits(std::floor(hours * 60)));
  if (hours < 48) return fmt::format("{} h", trimmed(fmt::format("{:.1f}", hours)));
  return fmt::format("{} days", trimmed(fmt::format("{:.1f}", hours / 24)));
}

std::string duration(std::int64_t us) {
  const double hours = static_cast<double>(us) / static_cast<double>(base::kHourUs);
  if (hours < 48) return fmt::format("{} hours", trimmed(fmt::format("{:.1f}", hours)));
  return fmt::format("{:.0f} days", hours / 24);
}

std::string listed(const std::vector<std::string>& names, std::size_t named_max) {
  std::string out;
  const std::size_t shown = names.size() <= named_max ? names.size() : named_max - 1;
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
    out += names[i];
  }
  if (shown < names.size()) out += fmt::format(" and {} more", names.size() - shown);
  return out;
}

std::string_view strength_word(double log10_e) {
  if (log10_e < 1) return "weak";
  if (log10_e < 2) return "moderate";
  if (log10_e < 4) return "strong";
  if (log10_e < 8) return "very strong";
  return "overwhelming";
}

std::string strength_sentence(const event::Strength& strength) {
  constexpr double kLog10Max = 12;  // beyond a trillion no model of independent people is believed
  const double log10_e = std::clamp(strength.log10_e, 0.0, kLog10Max);
  std::string out = log10_e < 1 ? std::string("Evidence like this is not rare among honest groups. ")
                                : fmt::format(
                                      "Among honest groups, evidence this strong is expected in fewer than 1 of "
                                      "{}. ",
                                      compact(std::pow(10, std::floor(log10_e))));
  if (strength.calibration_groups == 0) {
    out += "No benign groups were there to calibrate on: the figure rests on the test's own null hypothesis alone.";
  } else if (strength.extrapolated) {
    out += fmt::format(
        "Counting the {} of calibration could show no more than 1 of {}; beyond that the figure is extrapolated from "
        "their tail.",
        counted(strength.calibration_groups, "honest group", "honest groups"),
        grouped(std::uint64_t{strength.calibration_groups} + 1));
  } else {
    out += fmt::format("{} of calibration carry this figure; nothing is extrapolated.",
                       counted(strength.calibration_groups, "group", "groups"));
  }
  return out;
}

std::string_view channel_meaning(event::Channel channel) {
  using event::Channel;
  switch (channel) {
    case Channel::template_: return "prompts with the same skeleton, slots masked, that popular clients do not send";
    case Channel::prompt: return "the same rare prompts, word for word";
    case Channel::handoff: return "a conversation begun on one account goes on on another";
    case Channel::system: return "the same rare system prompt";
    case Channel::tools: return "the same rare set of tools";
    case Channel::params: return "the same pinned parameters";
    case Channel::schema: return "the same rare output schema";
    case Channel::timing: return "activity that interleaves or is too evenly spread for independent people";
    case Channel::sharding: return "the same templates with fewer equal prompts than chance: a divided work list";
    case Channel::distribution: return "content that lies apart from matched honest groups";
    case Channel::coverage: return "together the accounts cover topics more evenly and widely than honest groups";
    case Channel::client: return "the same rare client software";
    case Channel::egress: return "the same rare networks";
    case Channel::payment: return "shared means of payment";
    case Channel::signup: return "sign-ups that belong together";
    case Channel::replacement: return "accounts that take over where actioned ones stopped";
    case Channel::shared_list: return "an entry of a shared list; never enough alone";
  }
  return "";
}

std::string_view group_name(event::ChannelGroup group) {
  using event::ChannelGroup;
  switch (group) {
    case ChannelGroup::content: return "content";
    case ChannelGroup::conversation: return "conversation";
    case ChannelGroup::time: return "time";
    case ChannelGroup::software_network: return "software and network";
    case ChannelGroup::identity: return "identity";
    case ChannelGroup::history: return "history";
    case ChannelGroup::outside: return "outside";
  }
  return "";
}

std::string_view class_meaning(event::Class class_) {
  using event::Class;
  switch (class_) {
    case Class::distiller:
      return "Accounts that claim to be unrelated act as one operator, and what they do together collects a model's "
             "answers.";
    case Class::reseller:
      return "Accounts act as one operator, but their traffic has the variety of real users: pooled or resold access, "
             "not a harvest.";
    case Class::automation:
      return "The traffic looks like a harvest, but nothing links the accounts: often an honest evaluation or batch "
             "job.";
    case Class::unknown: return "The accounts belong together; what they do together is not clear yet.";
  }
  return "";
}

std::string_view class_limits(event::Class class_) {
  using event::Class;
  switch (class_) {
    case Class::distiller:
      return "We do not claim to know who the operator is or what the answers are for, and no country or language "
             "counts. "
             "Before anyone loses access, a person should read the evidence, the declared uses and what the accounts "
             "say.";
    case Class::reseller:
      return "We do not claim that anyone behind these accounts distils, and the people who use them are no party to "
             "it. "
             "Reselling may be allowed by contract; that is for a person to check.";
    case Class::automation:
      return "We do not claim one operator, and not abuse. It is a note for a person, not a ground to refuse requests.";
    case Class::unknown: return "We claim no purpose. It is a note for a person, not a ground to refuse requests.";
  }
  return "";
}

}  // namespace stillwatch::report
