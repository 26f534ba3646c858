// Any bytes as a line of every file that the evaluation reads.
#include <cstdint>
#include <string_view>

#include "quality/prompt_traits.h"
#include "quality/rows.h"
#include "quality/text_vector.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static stillwatch::quality::RowParser parser;
  const std::string_view line(reinterpret_cast<const char*>(bytes), size);
  const auto touch = [](std::string_view text) {
    volatile unsigned sum = 0;
    for (const char c : text) sum = sum + static_cast<unsigned char>(c);
  };
  stillwatch::quality::TruthRow truth;
  if (parser.read(line, truth)) touch(truth.account), touch(truth.campaign), touch(truth.stratum), touch(truth.unit);
  stillwatch::quality::HostileRow hostile;
  if (parser.read(line, hostile)) touch(hostile.account);
  stillwatch::quality::VerdictRow verdict;
  if (parser.read(line, verdict)) touch(verdict.subject), touch(verdict.campaign);
  stillwatch::quality::AccountRow account;
  if (parser.read(line, account)) touch(account.account), touch(account.payment);
  stillwatch::quality::LogRow log;
  if (parser.read(line, log)) {
    touch(log.account), touch(log.text);
    const auto traits = stillwatch::quality::prompt_traits(log.text);
    touch(traits.prefix != 0 && traits.words_hit > 3 ? log.text.substr(log.text.size() + 1) : log.text);
    (void)stillwatch::quality::hashed_counts(log.text);
  }
  stillwatch::quality::RunRow run;
  (void)parser.read(line, run);
  return 0;
}
