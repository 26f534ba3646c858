#include "policy/override.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/event_time.h"
#include "base/random.h"

namespace stillwatch::policy {
namespace {

constexpr std::int64_t kNow = 1'776'845'730'000'000;  // 2026-04-22T08:15:30Z

Override word(std::string account, event::Level level = event::Level::clear) {
  return {std::move(account), "", level, kNow, kNow + base::kDayUs, "anna", "spoke with them"};
}
base::Token token_of(std::string_view account, std::string_view end_user) {
  base::Token token = 1;
  for (const char byte : std::string(account) + '\n' + std::string(end_user)) {
    token = base::mix64(token + static_cast<unsigned char>(byte));
  }
  return token;
}

TEST(Override, ALineReadsBackEqual) {
  base::Random random(3);
  for (int i = 0; i < 2'000; ++i) {
    Override one = word("acct_" + std::to_string(i), static_cast<event::Level>(random.below(7)));
    if (random.chance(0.5)) one.end_user = "u \"\\\n\t\x01 \xC3\xA9";
    one.note = random.chance(0.5) ? "" : std::string(random.below(kOverrideNoteBytesMax), '"');
    one.until_us += static_cast<std::int64_t>(random.below(base::kDayUs));
    std::string line;
    append_override_line(line, one);
    const auto back = parse_override(line);
    ASSERT_TRUE(back) << back.error().message;
    ASSERT_EQ(*back, one);
  }
}

TEST(Override, LinesAreReadStrictly) {
  const auto message_of = [](std::string_view line) {
    const auto parsed = parse_override(line);
    return parsed ? "" : parsed.error().message;
  };
  const std::string good = R"({"v":1,"account":"a","level":"clear","set":"2026-04-22T08:15:30Z",)"
                           R"("until":"2026-04-23T08:15:30Z","who":"anna"})";
  EXPECT_EQ(message_of(good), "");
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string line = good;
    return message_of(line.replace(line.find(from), from.size(), to));
  };
  EXPECT_EQ(with("\"v\":1", "\"v\":2"), "v must be 1");
  EXPECT_EQ(with("\"v\":1,", ""), "v is missing");
  EXPECT_EQ(with("\"clear\"", "\"gone\""),
            "level must be clear, observe, notice, verify, throttle, restrict or suspend");
  EXPECT_EQ(with("\"a\"", "7"), "\"account\" must be a text");
  EXPECT_EQ(with("\"a\"", "\"\""), "account is missing: an override names the account it is for");
  EXPECT_EQ(with("\"who\":", "\"hwo\":"), "unknown key \"hwo\"");
  EXPECT_EQ(with("\"account\":\"a\"", "\"account\":\"a\",\"account\":\"b\""), "account comes twice");
  EXPECT_EQ(with("04-23", "04-22"), "until must be later than set: every override ends");
  EXPECT_EQ(with("04-23", "04-31"), "until must be a time such as 2026-04-22T08:15:30Z");
  EXPECT_EQ(message_of("[]"), "the line is no JSON object");
  EXPECT_EQ(message_of(good + "x"), "the line is no JSON object");
  EXPECT_NE(message_of(std::string(20'000, ' ')), "");
}

TEST(OverrideBook, FindsUntilItEnds) {
  OverrideBook book;
  OverrideReader reader(book);
  reader.refresh();
  EXPECT_EQ(reader.find(5, kNow), nullptr);
  ASSERT_TRUE(book.put(5, word("a", event::Level::suspend), kNow));
  EXPECT_EQ(reader.find(5, kNow), nullptr);  // not before it looks again
  reader.refresh();
  ASSERT_NE(reader.find(5, kNow), nullptr);
  EXPECT_EQ(reader.find(5, kNow)->level, event::Level::suspend);
  EXPECT_NE(reader.find(5, kNow + base::kDayUs - 1), nullptr);
  EXPECT_EQ(reader.find(5, kNow + base::kDayUs), nullptr);
  EXPECT_EQ(reader.find(0, kNow), nullptr);
  EXPECT_TRUE(book.remove(5));
  EXPECT_FALSE(book.remove(5));
  reader.refresh();
  EXPECT_EQ(reader.find(5, kNow), nullptr);
}

TEST(OverrideBook, RefusesWhatIsWrongOrOver) {
  OverrideBook book;
  Override no_end = word("a");
  no_end.until_us = no_end.set_us;
  EXPECT_FALSE(book.put(1, no_end, kNow));
  Override nobody = word("a");
  nobody.who.clear();
  EXPECT_FALSE(book.put(1, nobody, kNow));
  Override long_note = word("a");
  long_note.note.assign(kOverrideNoteBytesMax + 1, 'x');
  EXPECT_FALSE(book.put(1, long_note, kNow));
  Override broken = word("a\xFF");
  EXPECT_FALSE(book.put(1, broken, kNow));
  EXPECT_FALSE(book.put(1, word("a"), kNow + base::kDayUs));
  EXPECT_EQ(book.size(), 0U);
}

TEST(OverrideBook, LinesGoThereAndBack) {
  OverrideBook book;
  for (int i = 0; i < 50; ++i) {
    Override one = word("acct_" + std::to_string(i % 10));
    one.end_user = i < 10 ? "" : std::to_string(i);
    ASSERT_TRUE(book.put(token_of(one.account, one.end_user), one, kNow));
  }
  const std::string lines = book.lines(kNow);
  OverrideBook other;
  ASSERT_TRUE(other.load(lines, token_of, kNow));
  EXPECT_EQ(other.lines(kNow), lines);
  EXPECT_EQ(other.size(), 50U);
  EXPECT_EQ(book.lines(kNow + base::kDayUs), "");
  const auto failed = other.load(lines + "{}\n", token_of, kNow);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "line 51: v is missing");
  EXPECT_EQ(other.size(), 50U);  // as it was
}

TEST(OverrideBook, IsBounded) {
  std::string lines;
  for (std::size_t i = 0; i < kOverridesMax; ++i) append_override_line(lines, word(std::to_string(i)));
  OverrideBook book;
  ASSERT_TRUE(book.load(lines, token_of, kNow));
  EXPECT_EQ(book.size(), kOverridesMax);
  EXPECT_FALSE(book.put(1, word("one more"), kNow));
  EXPECT_TRUE(book.put(token_of("7", ""), word("7", event::Level::notice), kNow));  // in place of one that is there
  Override later = word("later");
  later.set_us = kNow + base::kDayUs;
  later.until_us = kNow + 2 * base::kDayUs;
  EXPECT_TRUE(book.put(1, later, kNow + base::kDayUs));  // those that are over make room
  EXPECT_EQ(book.size(), 1U);
}

// Readers always see a whole override, and in the end the last one.
TEST(OverrideBook, ManyReadersOneWriter) {
  OverrideBook book;
  ASSERT_TRUE(book.put(9, word("0"), kNow));
  std::atomic<bool> done{false}, torn{false};
  std::vector<std::thread> readers;
  readers.reserve(4);
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([&] {
      OverrideReader reader(book);
      int last = 0;
      while (!done) {
        reader.refresh();
        const Override* found = reader.find(9, kNow);
        const int seen = found == nullptr ? -1 : std::stoi(found->account);
        if (seen < last || found->note != "spoke with them") torn = true;
        last = seen;
      }
      reader.refresh();
      if (std::stoi(reader.find(9, kNow)->account) != 2'000) torn = true;
    });
  }
  for (int i = 1; i <= 2'000; ++i) ASSERT_TRUE(book.put(9, word(std::to_string(i)), kNow));
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(torn);
}

}  // namespace
}  // namespace stillwatch::policy
