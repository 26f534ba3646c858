#include "text/normal_form.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace stillwatch::text {
namespace {

std::string folded(const std::string& text) {
  std::string out(text.size(), '\0');
  out.resize(fold_spaces(text, out.data()));
  return out;
}

// The same rule, one character at a time.
std::string folded_plainly(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ') {
      if (out.empty() || out.back() != ' ') out += ' ';
    } else {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return out;
}

TEST(NormalForm, FoldingAgreesWithThePlainRuleOnAnyBytes) {
  base::Random random(1);
  for (int run = 0; run < 20'000; ++run) {
    std::string text(random.below(60), '\0');
    for (auto& c : text)
      c = random.chance(0.6) ? "aZ @[`{ \n\t\x7F\x80\xC1 "[random.below(14)] : static_cast<char>(random());
    ASSERT_EQ(folded(text), folded_plainly(text));
  }
}

TEST(NormalForm, SpacesAreDroppedInPlace) {
  std::string text = " {\n \"a\" : [1, 2]\t}\r\n";
  text.resize(drop_spaces(text, text.data()));
  EXPECT_EQ(text, "{\"a\":[1,2]}");
  EXPECT_EQ(trimmed("\r\n a b \t"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
}

}  // namespace
}  // namespace stillwatch::text
