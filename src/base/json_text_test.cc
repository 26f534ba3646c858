#include "base/json_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/random.h"

namespace stillwatch::base {
namespace {

std::string text_of(std::string_view bytes) {
  std::string out;
  append_json_string(out, bytes);
  return out;
}

std::string text_of(double number) {
  std::string out;
  append_json_number(out, number);
  return out;
}

TEST(JsonText, EscapesWhatJsonForbids) {
  EXPECT_EQ(text_of(std::string_view("a\"b\\c\n\t\r")), R"("a\"b\\c\n\t\r")");
  EXPECT_EQ(text_of(std::string_view("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
  EXPECT_EQ(text_of(std::string_view("é€😀")), "\"é€😀\"");
}

TEST(JsonText, ReplacesEachInvalidByte) {
  EXPECT_EQ(text_of(std::string_view("a\xFFz")), "\"a\uFFFDz\"");
  EXPECT_EQ(text_of(std::string_view("\xC0\xAF")), "\"\uFFFD\uFFFD\"");            // overlong
  EXPECT_EQ(text_of(std::string_view("\xED\xA0\x80")), "\"\uFFFD\uFFFD\uFFFD\"");  // surrogate
  EXPECT_EQ(text_of(std::string_view("\xE2\x82")), "\"\uFFFD\uFFFD\"");            // cut
  EXPECT_EQ(text_of(std::string_view("\xF4\x90\x80\x80")), "\"\uFFFD\uFFFD\uFFFD\uFFFD\"");
}

TEST(JsonText, NumbersAreReadable) {
  EXPECT_EQ(text_of(0.0), "0");
  EXPECT_EQ(text_of(-0.0), "0");
  EXPECT_EQ(text_of(28800000.0), "28800000");
  EXPECT_EQ(text_of(5.2), "5.2");
  EXPECT_EQ(text_of(-0.001), "-0.001");
  EXPECT_EQ(text_of(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(text_of(std::nan("")), "null");
  std::string out;
  append_json_number(out, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(out, "18446744073709551615");
}

TEST(JsonText, EveryDoubleReadsBackEqual) {
  Random random(7);
  for (int i = 0; i < 20000; ++i) {
    const double number = std::ldexp(random.uniform() - 0.5, static_cast<int>(random.below(400)) - 200);
    ASSERT_EQ(std::strtod(text_of(number).c_str(), nullptr), number);
  }
}

}  // namespace
}  // namespace stillwatch::base
