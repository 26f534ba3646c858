#include "sim/builtin_text.h"

#include "base/assert.h"
#include "sim/builtin_lists.h"

namespace stillwatch::sim {
namespace {

std::string_view pick(List list, base::Random& random) { return list[random.below(list.size())]; }

List patterns_of(TextKind kind) {
  switch (kind) {
    case TextKind::chat: return kEnglishPatterns.chat;
    case TextKind::task: return kEnglishPatterns.tasks;
    case TextKind::question: return kEnglishPatterns.questions;
    case TextKind::passage: return kEnglishPatterns.passages;
    case TextKind::code: return kEnglishPatterns.code;
    case TextKind::abuse: return kEnglishPatterns.abuse;
    case TextKind::instruction: return kEnglishPatterns.instructions;
    case TextKind::role: return kEnglishPatterns.roles;
    case TextKind::constraint: return kEnglishPatterns.constraints;
  }
  return kEnglishPatterns.chat;
}

void append_word_like(base::Random& random, std::string& out) {
  const std::uint64_t parts = 1 + random.below(3);
  for (std::uint64_t i = 0; i < parts; ++i) out += pick(kEnglish.syllables, random);
}

void append_slot(char slot, const Tongue& tongue, base::Random& random, std::string& out) {
  switch (slot) {
    case 'n': out += pick(tongue.nouns.empty() ? kEnglish.nouns : tongue.nouns, random); break;
    case 'a': out += pick(tongue.adjectives.empty() ? kEnglish.adjectives : tongue.adjectives, random); break;
    case 'v': out += pick(kEnglish.verbs, random); break;
    case 'V': {
      const std::size_t at = out.size();
      out += pick(kEnglish.verbs, random);
      out[at] = static_cast<char>(out[at] - 'a' + 'A');
      break;
    }
    case 'p': out += pick(kEnglish.places, random); break;
    case 'f': out += pick(kEnglish.fields, random); break;
    case 'u': out += pick(kEnglish.audiences, random); break;
    case 'o': out += pick(kEnglish.forms, random); break;
    case 'N': append_name(random, out); break;
    case 'w': append_word_like(random, out); break;
    case 'd': {
      static constexpr std::string_view kDays[] = {"Monday",    "Friday",      "May",  "Easter",
                                                   "Christmas", "the weekend", "noon", "July"};
      if (tongue.nouns.empty()) {
        out += pick(kDays, random);
      } else {
        append_number(1 + random.below(28), out);
        out += '/';
        append_number(1 + random.below(12), out);
      }
      break;
    }
    case '#': append_number(2 + (random.chance(0.6) ? random.below(40) : random.below(4000)), out); break;
    default: STILLWATCH_ASSERT(false && "unknown slot in a built-in pattern");
  }
}

}  // namespace

const std::vector<std::string_view>& builtin_languages() {
  static const std::vector<std::string_view> kCodes = [] {
    std::vector<std::string_view> codes;
    for (const Tongue& tongue : kTongues) codes.push_back(tongue.code);
    return codes;
  }();
  return kCodes;
}

void append_builtin(TextKind kind, std::size_t language, base::Random& random, std::string& out) {
  const Tongue& tongue = kTongues[language];
  const std::string_view pattern = pick(tongue.patterns.empty() ? patterns_of(kind) : tongue.patterns, random);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '{' && i + 2 < pattern.size() && pattern[i + 2] == '}') {
      append_slot(pattern[i + 1], tongue, random, out);
      i += 2;
    } else {
      out += pattern[i];
    }
  }
}

void append_name(base::Random& random, std::string& out) {
  const std::size_t at = out.size();
  const std::uint64_t parts = 2 + random.below(2);
  for (std::uint64_t i = 0; i < parts; ++i) out += pick(kEnglish.syllables, random);
  out[at] = static_cast<char>(out[at] - 'a' + 'A');
}

void append_topic(base::Random& random, std::string& out) {
  switch (random.below(4)) {
    case 0: out += pick(kEnglish.fields, random); break;
    case 1:
      out += pick(kEnglish.adjectives, random);
      out += ' ';
      out += pick(kEnglish.nouns, random);
      break;
    case 2:
      out += pick(kEnglish.nouns, random);
      out += " in ";
      out += pick(kEnglish.places, random);
      break;
    default:
      out += pick(kEnglish.nouns, random);
      out += " and ";
      out += pick(kEnglish.fields, random);
  }
}

void append_number(std::uint64_t value, std::string& out) {
  char digits[20];
  std::size_t at = sizeof digits;
  do {
    digits[--at] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  out.append(digits + at, sizeof digits - at);
}

}  // namespace stillwatch::sim
