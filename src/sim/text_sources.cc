#include "sim/text_sources.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include <fmt/format.h>
#include <simdjson.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/files.h"
#include "sim/affixes.h"

namespace stillwatch::sim {
namespace {

constexpr std::uint64_t kCorpusFileBytesMax = 256U << 20;  // compressed; the largest shared one has 1.3 MB
constexpr std::uint64_t kCorpusTextBytesMax = 1ULL << 30;  // decompressed
constexpr std::size_t kPromptBytesMax = 6'000;             // longer ones are cut: a few giants must not fill a world
constexpr std::size_t kBuiltinDocuments = 24'000;          // per pool: enough that chains of it do not repeat
constexpr std::size_t kBuiltinLanguageDocuments = 4'000;
constexpr std::size_t kChineseIndex = 5;

struct Corpus {
  std::string_view stem;
  Pool pool;
  std::size_t language;
};
constexpr Corpus kCorpora[] = {{"sharegpt", Pool::chat, 0},
                               {"sharegpt_zh", Pool::chat, kChineseIndex},
                               {"bfcl_live", Pool::chat, 0},
                               {"alpaca_en", Pool::task, 0},
                               {"alpaca_zh", Pool::task, kChineseIndex},
                               {"code_alpaca", Pool::task, 0},
                               {"evol_code", Pool::task, 0},
                               {"gpteacher", Pool::task, 0},
                               {"cot_distill", Pool::question, 0},
                               {"awesome_prompts", Pool::shared, 0},
                               {"batch_templates", Pool::record, 0},
                               {"hh_redteam", Pool::abuse, 0}};

base::Result<std::string> decompress(const std::string& path) {
  STILLWATCH_TRY(packed, base::read_file(path, kCorpusFileBytesMax));
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::string text;
  std::vector<char> block(ZSTD_DStreamOutSize());
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t state = 1;
  while (in.pos < in.size) {
    ZSTD_outBuffer out{block.data(), block.size(), 0};
    state = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(state)) {
      return base::fail(base::Fault::input, fmt::format("cannot decompress {}: {}; is it a whole .zst file?", path,
                                                        ZSTD_getErrorName(state)));
    }
    text.append(block.data(), out.pos);
    if (text.size() > kCorpusTextBytesMax) {
      return base::fail(base::Fault::input, fmt::format("{} holds more than {} bytes; give a smaller folder of prompts",
                                                        path, kCorpusTextBytesMax));
    }
  }
  // The last block may fill the output exactly: drain what is left inside.
  for (;;) {
    ZSTD_outBuffer out{block.data(), block.size(), 0};
    if (state == 0) break;
    state = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(state) || out.pos == 0) break;
    text.append(block.data(), out.pos);
  }
  if (state != 0) return base::fail(base::Fault::input, fmt::format("{} ends too early; copy it again", path));
  return text;
}

}  // namespace

CorpusHalf half_of(std::string_view prompt) {
  return (XXH3_64bits(prompt.data(), prompt.size()) & 1) == 0 ? CorpusHalf::tuning : CorpusHalf::held_out;
}

void TextSources::keep(Pool which, std::string escaped) {
  texts_.push_back(std::move(escaped));
  pools_[static_cast<std::size_t>(which)].push_back(texts_.back());
}

base::Status TextSources::read_corpus(const std::string& path, const std::string& stem) {
  STILLWATCH_TRY(text, decompress(path));
  Corpus corpus{stem, Pool::chat, 0};
  for (const Corpus& known : kCorpora) {
    if (known.stem == stem) corpus = known;
  }
  simdjson::dom::parser parser;
  std::size_t line_number = 0;
  std::vector<std::string> prompts;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    ++line_number;
    if (line.empty()) continue;
    std::string_view prompt;
    if (parser.parse(line.data(), line.size())["prompt"].get_string().get(prompt) != simdjson::SUCCESS) {
      return base::fail(
          base::Fault::input,
          fmt::format("{}:{}: not a record with a text \"prompt\"; prompts are one {{\"source\",\"prompt\"}} a line",
                      path, line_number));
    }
    if (!prompt.empty() && wanted(prompt)) prompts.emplace_back(prompt);
  }
  if (choice_.strip_affixes) strip_shared_affixes(prompts);
  for (const std::string& prompt : prompts) {
    std::string escaped;
    append_escaped(cut_text(prompt, kPromptBytesMax), escaped);
    keep(corpus.pool, std::move(escaped));
    if (corpus.pool == Pool::chat) chat_by_language_[corpus.language].push_back(texts_.back());
  }
  return {};
}

base::Result<TextSources> TextSources::load(const std::string& folder, const TextChoice& choice) {
  TextSources sources;
  sources.choice_ = choice;
  sources.chat_by_language_.resize(builtin_languages().size());
  std::vector<std::filesystem::path> files;
  std::error_code code;
  for (std::filesystem::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".jsonl.zst")) files.push_back(at->path());
  }
  if (code)
    return base::fail(base::Fault::caller,
                      fmt::format("cannot read the folder of prompts {}: {}", folder, code.message()));
  if (files.empty())
    return base::fail(
        base::Fault::caller,
        fmt::format("{} has no *.jsonl.zst; give a folder of prompts or set world.prompts=builtin", folder));
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::string stem = path.filename().string();
    stem.resize(stem.size() - std::string_view(".jsonl.zst").size());
    STILLWATCH_CHECK(sources.read_corpus(path.string(), stem));
  }
  sources.from_corpora_ = true;
  sources.complete();
  return sources;
}

TextSources TextSources::builtin(const TextChoice& choice) {
  TextSources sources;
  sources.choice_ = choice;
  sources.chat_by_language_.resize(builtin_languages().size());
  sources.complete();
  return sources;
}

void TextSources::complete() {
  // Built-in text is the same for every seed: a seed changes who says what, not what can be said.
  const auto fill = [&](Pool which, TextKind kind, std::uint64_t stream, std::size_t sentences) {
    if (!pools_[static_cast<std::size_t>(which)].empty()) return;
    base::Random random(0xB01LL, stream);
    std::unordered_set<std::string> seen;
    for (std::size_t i = 0; i < kBuiltinDocuments; ++i) {
      std::string text;
      const std::uint64_t count = 1 + random.below(sentences);
      for (std::uint64_t s = 0; s < count; ++s) {
        if (s > 0) text += ' ';
        append_builtin(kind, 0, random, text);
      }
      if (!seen.insert(text).second || !wanted(text)) continue;
      keep(which, std::move(text));
      if (which == Pool::chat) chat_by_language_[0].push_back(texts_.back());
    }
  };
  fill(Pool::chat, TextKind::chat, 1, 2);
  fill(Pool::task, TextKind::task, 2, 1);
  fill(Pool::question, TextKind::question, 3, 1);
  fill(Pool::record, TextKind::passage, 5, 10);
  fill(Pool::abuse, TextKind::abuse, 6, 2);
  if (pool(Pool::shared).empty()) {
    base::Random random(0xB01LL, 4);
    for (int i = 0; i < 1500; ++i) {
      std::string text;
      append_builtin(TextKind::role, 0, random, text);
      const std::uint64_t rules = 2 + random.below(8);
      for (std::uint64_t s = 0; s < rules; ++s) {
        text += ' ';
        append_builtin(TextKind::constraint, 0, random, text);
      }
      if (wanted(text)) keep(Pool::shared, std::move(text));
    }
  }
  chat_.resize(builtin_languages().size());
  for (std::size_t language = 0; language < chat_.size(); ++language) {
    for (const std::string_view text : chat_by_language_[language]) chat_[language].add(text);
    if (chat_by_language_[language].empty()) {
      base::Random random(0xB02LL, language);
      for (std::size_t i = 0; i < kBuiltinLanguageDocuments; ++i) {
        std::string text;
        append_builtin(TextKind::chat, language, random, text);
        chat_[language].add(text);
      }
    }
    chat_[language].freeze();
  }
  for (const std::string_view text : pool(Pool::task)) task_.add(text);
  for (const std::string_view text : pool(Pool::record)) passage_.add(text);
  for (const std::string_view text : pool(Pool::abuse)) abuse_.add(text);
  base::Random random(0xB03LL, 1);
  for (std::size_t i = 0; i < kBuiltinDocuments; ++i) {
    std::string code, passage;
    append_builtin(TextKind::code, 0, random, code);
    code_.add(code);
    append_builtin(TextKind::passage, 0, random, passage);
    passage_.add(passage);
  }
  task_.freeze();
  passage_.freeze();
  code_.freeze();
  abuse_.freeze();
  chat_by_language_.clear();
}

}  // namespace stillwatch::sim
