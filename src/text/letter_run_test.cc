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

}  // namespace
}  // namespace stillwatch::text
