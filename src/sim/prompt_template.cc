#include "sim/prompt_template.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

namespace stillwatch::sim {
namespace {

struct Marks {
  std::string_view before, after;
};
constexpr Marks kMarks[] = {{"\\n\\n", "\\n\\n"},
                            {" ", " "},
                            {"\\n\\\"", "\\\"\\n"},
                            {"\\n<text>\\n", "\\n</text>\\n"},
                            {"\\n###\\n", "\\n###\\n"},
                            {"\\nInput: ", "\\n"},
                            {": ", ". "},
                            {"\\n```\\n", "\\n```\\n"},
                            {"\\n---\\n", "\\n---\\n"},
                            {"\\nQ: ", "\\nA:"}};

// Function words: a paraphrase changes these too, and with them what is left when rare words are masked.
constexpr std::size_t kShortWordBytes = 3;
constexpr std::string_view kShortWords[] = {
    "of",  "for", "with", "in",   "on",   "to", "from", "by",  "about", "as",  "and", "or",  "but", "then", "than",
    "the", "a",   "any",  "this", "each", "is", "be",   "are", "do",    "not", "all", "its", "one", "at",   "into"};

void append_paraphrased(base::Random& random, const TextSources& texts, std::string_view literal, double share,
                        std::string& out) {
  std::size_t at = 0;
  while (at < literal.size()) {
    std::size_t end = literal.find(' ', at);
    end = end == std::string_view::npos ? literal.size() : end + 1;
    const std::string_view word = literal.substr(at, end - at);
    at = end;
    // Escapes stay whole: a word with a backslash is never touched.
    if (word.find('\\') != std::string_view::npos || !random.chance(share)) {
      out += word;
      continue;
    }
    if (random.chance(0.3)) continue;
    texts.passage().append_word(random, out);
    out += ' ';
    if (random.chance(0.25)) out += word;
  }
}

}  // namespace

void PromptTemplate::add_literal(std::string text) {
  if (text.empty()) return;
  if (!segments_.empty() && !segments_.back().is_slot) {
    segments_.back().literal += text;
  } else {
    segments_.push_back({std::move(text), SlotKind::content, false});
  }
}

void PromptTemplate::add_slot(SlotKind kind) { segments_.push_back({{}, kind, true}); }

PromptTemplate PromptTemplate::draw(base::Random& random, std::size_t language, std::size_t content_words,
                                    bool constant) {
  PromptTemplate made;
  made.language_ = static_cast<std::uint8_t>(language);
  made.content_words_ = static_cast<std::uint16_t>(std::clamp<std::size_t>(content_words, 3, 2000));
  std::vector<std::string> sentences;
  const auto add = [&](TextKind kind) {
    std::string text;
    append_builtin(kind, language, random, text);
    sentences.push_back(std::move(text));
  };
  const double length = random.uniform();
  if (length < 0.25) {  // a short wrapper, as people write by hand
    add(TextKind::instruction);
    std::string& only = sentences[0];
    const std::size_t words = 3 + random.below(6);
    std::size_t cut = 0;
    for (std::size_t i = 0; i < words && cut != std::string::npos; ++i) cut = only.find(' ', cut + 1);
    if (cut != std::string::npos && language == 0) only.resize(cut);
  } else {
    if (random.chance(0.5)) add(TextKind::role);
    add(TextKind::instruction);
    const std::uint64_t rules = length < 0.82 ? random.below(4) : 8 + random.below(16);
    for (std::uint64_t i = 0; i < rules; ++i) add(random.chance(0.75) ? TextKind::constraint : TextKind::instruction);
  }
  const double where = random.uniform();
  const std::size_t content_at = where < 0.2                           ? 0
                                 : where < 0.5 && sentences.size() > 1 ? 1 + random.below(sentences.size() - 1)
                                                                       : sentences.size();
  const Marks marks = kMarks[random.below(std::size(kMarks))];
  std::uint64_t small_slots = constant ? 0 : random.below(3);
  for (std::size_t i = 0; i <= sentences.size(); ++i) {
    if (i == content_at) {
      if (!made.segments_.empty() || random.chance(0.5)) made.add_literal(std::string(marks.before));
      made.add_slot(SlotKind::content);
      if (i < sentences.size() || random.chance(0.5)) made.add_literal(std::string(marks.after));
    }
    if (i == sentences.size()) break;
    made.add_literal(sentences[i]);
    if (small_slots > 0 && random.chance(0.6)) {
      --small_slots;
      static constexpr SlotKind kSmall[] = {SlotKind::topic, SlotKind::name, SlotKind::number, SlotKind::list,
                                            SlotKind::quoted};
      made.add_literal(random.chance(0.5) ? " - " : " (");
      made.add_slot(kSmall[random.below(std::size(kSmall))]);
      made.add_literal(random.chance(0.5) ? ") " : "; ");
    } else {
      made.add_literal(random.chance(0.85) ? " " : "\\n");
    }
  }
  return made;
}

void PromptTemplate::fill(base::Random& random, const TextSources& texts, std::string_view item, double paraphrase,
                          std::string& out) const {
  for (const Segment& segment : segments_) {
    if (!segment.is_slot) {
      if (paraphrase > 0) {
        append_paraphrased(random, texts, segment.literal, paraphrase, out);
      } else {
        out += segment.literal;
      }
      continue;
    }
    switch (segment.slot) {
      case SlotKind::content:
        if (!item.empty()) {
          out += item;
        } else {
          const double words = content_words_ * (0.4 + 1.2 * random.uniform());
          (language_ == 0 ? texts.passage() : texts.chat(language_))
              .append(random, static_cast<std::size_t>(std::max(3.0, words)), out);
        }
        break;
      case SlotKind::topic: append_topic(random, out); break;
      case SlotKind::name: append_name(random, out); break;
      case SlotKind::number: append_number(1 + random.below(500), out); break;
      case SlotKind::list: {
        const std::uint64_t count = 2 + random.below(4);
        for (std::uint64_t i = 0; i < count; ++i) {
          if (i > 0) out += ", ";
          texts.passage().append_word(random, out);
        }
        break;
      }
      case SlotKind::quoted:
        out += "\\\"";
        append_topic(random, out);
        out += "\\\"";
        break;
      case SlotKind::passage: texts.passage().append(random, content_words_, out); break;
      case SlotKind::code: texts.code().append(random, 20, out); break;
    }
  }
}

std::string reword(std::uint64_t seed, const PhraseChain& words, std::string_view escaped) {
  std::string out;
  std::size_t at = 0;
  while (at < escaped.size()) {
    std::size_t end = escaped.find(' ', at);
    end = end == std::string_view::npos ? escaped.size() : end;
    std::string_view word = escaped.substr(at, end - at);
    std::size_t letters = word.size();
    while (letters > 0 && std::ispunct(static_cast<unsigned char>(word[letters - 1])) != 0) --letters;
    // Escapes stay whole: a word with a backslash is never touched.
    if (letters == 0 || word.find('\\') != std::string_view::npos) {
      out += word;
    } else {
      std::uint64_t key = seed;
      for (const char c : word.substr(0, letters))
        key = base::mix64(key ^ static_cast<std::uint64_t>(std::tolower(static_cast<unsigned char>(c))));
      base::Random random(seed, key);
      const std::size_t begin = out.size();
      if (letters <= kShortWordBytes) {
        out += kShortWords[random.below(std::size(kShortWords))];
      } else {
        words.append_word(random, out);
      }
      if (std::isupper(static_cast<unsigned char>(word[0])) != 0)
        out[begin] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[begin])));
      out += word.substr(letters);
    }
    if (end < escaped.size()) out += ' ';
    at = end + 1;
  }
  return out;
}

PromptTemplate PromptTemplate::reworded(std::uint64_t seed, const TextSources& texts) const {
  base::Random random(seed, 0);
  // Without spaces between words there is nothing to exchange: another template of the language says the same.
  if (builtin_languages()[language_] == "zh") return draw(random, language_, content_words_);
  PromptTemplate made = *this;
  const PhraseChain& words = language_ == 0 ? texts.passage() : texts.chat(language_);
  for (Segment& segment : made.segments_) {
    if (!segment.is_slot) segment.literal = reword(seed, words, segment.literal);
  }
  return made;
}

std::size_t PromptTemplate::constant_bytes() const {
  std::size_t bytes = 0;
  for (const Segment& segment : segments_) bytes += segment.literal.size();
  return bytes;
}

std::string draw_system_prompt(base::Random& random, std::size_t rules) {
  std::string text;
  append_builtin(TextKind::role, 0, random, text);
  for (std::size_t i = 0; i < rules; ++i) {
    text += random.chance(0.2) ? "\\n- " : " ";
    append_builtin(random.chance(0.8) ? TextKind::constraint : TextKind::instruction, 0, random, text);
  }
  return text;
}

std::string draw_tools(base::Random& random, std::size_t count, bool anthropic_style) {
  static constexpr std::string_view kVerbs[] = {"read",  "write",  "list",   "search", "run",
                                                "fetch", "create", "delete", "update", "ask"};
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) {
    std::string name(kVerbs[random.below(std::size(kVerbs))]), description;
    name += '_';
    append_name(random, name);
    append_builtin(TextKind::instruction, 0, random, description);
    const std::string schema =
        fmt::format(R"({{"type":"object","properties":{{"path":{{"type":"string"}},"limit":{{"type":"integer",)"
                    R"("maximum":{}}}}},"required":["path"]}})",
                    10 + random.below(5000));
    if (i > 0) text += ',';
    text += anthropic_style
                ? fmt::format(R"({{"name":"{}","description":"{}","input_schema":{}}})", name, description, schema)
                : fmt::format(R"({{"type":"function","function":{{"name":"{}","description":"{}","parameters":{}}}}})",
                              name, description, schema);
  }
  return text + "]";
}

}  // namespace stillwatch::sim
