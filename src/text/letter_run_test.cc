#include "text/letter_run.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace stillwatch::text {
namespace {

TEST(LetterRun, BothWaysAgreeWithTheDefinition) {
  base::Random random(3);
  for (int round = 0; round < 20'000; ++round) {
    // Letters mostly, so that every length comes up; the rest is any byte.
    std::string bytes(16, '\0');
    for (char& c : bytes) {
      const char letter = static_cast<char>((random.chance(0.5) ? 'a' : 'A') + static_cast<int>(random.below(26)));
      c = random.chance(0.9) ? letter : static_cast<char>(random.below(256));
    }
    std::size_t length = 0;
    std::string folded(16, '\0');
    while (length < 16 &&
           ((bytes[length] >= 'a' && bytes[length] <= 'z') || (bytes[length] >= 'A' && bytes[length] <= 'Z'))) {
      folded[length] = static_cast<char>(bytes[length] | 0x20);
      ++length;
    }
    const LetterRun fast = letter_run(bytes.data()), portable = letter_run_portable(bytes.data());
    ASSERT_EQ(fast.length, length);
    ASSERT_EQ(portable.length, length);
    ASSERT_TRUE(fast.key == word_key(folded.data(), 16));
    ASSERT_TRUE(portable.key == fast.key);
  }
}

TEST(ProseMask, AgreesWithTheDefinition) {
  base::Random random(4);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(kProseBytes, '\0');
    for (char& c : bytes)
      c = random.chance(0.8) ? "abzAZ ,.{@`[_"[random.below(13)] : static_cast<char>(random.below(256));
    const ProseMask mask = prose_mask(bytes.data()), portable = prose_mask_portable(bytes.data());
    ASSERT_EQ(mask.letters, portable.letters);
    ASSERT_EQ(mask.gaps, portable.gaps);
    ASSERT_EQ(mask.stops, portable.stops);
    const LetterRun run = letter_run(bytes.data());
    ASSERT_TRUE(folded_letters(bytes.data(), run.length) == run.key);
  }
}

}  // namespace
}  // namespace stillwatch::text
