#include "text/scores.h"

namespace stillwatch::text {
namespace {

std::int8_t clamp_score(std::uint32_t value) { return static_cast<std::int8_t>(std::min<std::uint32_t>(value, 100)); }

}  // namespace

std::array<std::int8_t, kScores> scores_of(const ScoreFeatures& features) {
  std::array<std::int8_t, kScores> scores{};
  const auto cues = [&](Score score) {
    return std::min<std::uint32_t>(features.cues[static_cast<std::size_t>(score)], 4);
  };
  const auto set = [&](Score score, std::uint32_t value) {
    scores[static_cast<std::size_t>(score)] = clamp_score(value);
  };
  // Structure alone scores nothing: it only strengthens a cue (code spans excepted, which are their own cue).
  const auto with = [](std::uint32_t cue_count, std::uint32_t structure) {
    return cue_count == 0 ? 0 : 22 * cue_count + std::min<std::uint32_t>(structure, 30);
  };
  set(Score::reasoning, with(cues(Score::reasoning), 4 * features.numbers + 6 * features.questions));
  set(Score::judging, with(cues(Score::judging), 8 * features.labels + 4 * features.numbers));
  set(Score::rewriting, with(cues(Score::rewriting), 8 * features.labels + features.words / 16));
  set(Score::breadth, with(cues(Score::breadth), 5 * features.list_lines + 6 * features.numbers));
  set(Score::output_heavy, with(cues(Score::output_heavy), 6 * features.numbers + 3 * features.list_lines));
  set(Score::code, 22 * cues(Score::code) + 15 * std::min<std::uint32_t>(features.code_spans, 4) +
                       std::min<std::uint32_t>(2 * features.brackets, 20));
  return scores;
}

}  // namespace stillwatch::text
