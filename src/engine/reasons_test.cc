#include "engine/reasons.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/event_time.h"
#include "engine/sentences.h"

namespace stillwatch::engine {
namespace {

using event::Channel;

class Reasons : public ::testing::Test {
 protected:
  Reasons() {
    finding_.formed_us = *base::parse_time("2026-04-22T08:00:00Z");
    finding_.measures.members = 212;
    finding_.measures.queries = 9000;
    finding_.measures.hits = 7400;
    finding_.measures.hits_prompt = 12;
    finding_.measures.outsider_hits = 9;
    finding_.measures.handoffs = 31;
    finding_.measures.testable = true;
    finding_.base_rate = 10.0 / 410'000;
    finding_.harvest = {5.2, 14, true};
    finding_.strength = {5.2, 14, true};
    finding_.parts[static_cast<std::size_t>(detect::Measure::division)] = 3.5;
    finding_.parts[static_cast<std::size_t>(detect::Measure::breadth)] = 2.5;
    finding_.traits = {{11, detect::TokenKind::payment, 60, 0}, {12, detect::TokenKind::payment, 9, 4}};
    finding_.channel_log10_e = {{Channel::template_, 12}, {Channel::handoff, 6.4}, {Channel::payment, 9.1}};
    finding_.without_channel = {{Channel::template_, 0}, {Channel::handoff, 5.2}, {Channel::payment, 5.2}};
    for (const Channel channel : {Channel::template_, Channel::prompt, Channel::handoff, Channel::payment})
      finding_.channels.add(channel);
    member_.channels = finding_.channels;
    member_.queries = 52;
    member_.hits = 41;
    member_.hits_prompt = 3;
    member_.handoffs = 1;
    member_.log10_p = -150;
    member_.joined_hour = static_cast<std::uint32_t>(*base::parse_time("2026-04-23T19:00:00Z") / base::kHourUs);
  }
  detect::GroupFinding finding_;
  detect::MemberFinding member_;
  ReasonContext context_{4.5, 4310, 2};
};

TEST_F(Reasons, OfAMemberGolden) {
  std::vector<std::string> texts;
  for (const event::Reason& reason : member_reasons(finding_, member_, context_)) texts.push_back(reason.text);
  const std::vector<std::string> expected{
      "41 of 52 requests that it sent since 23 April 2026, 19:00 UTC come from prompt templates that it shares with "
      "211 "
      "other accounts said to be unrelated. Of the requests of everybody else about 1 in 45,000 do. By chance at most "
      "one in a trillion independent accounts would send so many. Without this, what remains against the group would "
      "not be enough to act.",
      "3 of its requests since 23 April 2026, 19:00 UTC repeat, word for word, a prompt that one of 211 other accounts "
      "sent. Without this, what remains against the group would still be enough to act.",
      "1 conversation since 23 April 2026, 19:00 UTC moved between it and one of 211 other accounts, with text that "
      "could not be guessed. Without this, what remains against the group would still be enough to act.",
      "It has the same means of payment as 59 other accounts of the group. Nobody outside the group has it; while "
      "honest use was learned, fewer than 2 of 4,310 trusted accounts had it. Without this, what remains against the "
      "group would still be enough to act.",
      "What these 212 accounts do together was compared with 14 honest groups found in the same way: hardly any two "
      "send the same prompt, as if one list were dealt out, they use many different templates. At most one in 100,000 "
      "honest groups would look so much like the collecting of answers. That figure goes beyond what counting these "
      "groups can show, and is extrapolated from them."};
  EXPECT_EQ(texts, expected);
}

TEST_F(Reasons, OfAGroupGolden) {
  std::vector<std::string> texts;
  for (const event::Reason& reason : group_reasons(finding_, context_)) texts.push_back(reason.text);
  ASSERT_EQ(texts.size(), 5U);
  EXPECT_EQ(
      texts[0],
      "7,400 of 9,000 requests that these 212 accounts sent since they were linked (the first on 22 April 2026, "
      "08:00 UTC) come from prompt templates that they share. Of the requests of everybody else about 1 in 45,000 "
      "do. By chance at most one in a trillion groups of accounts without a common operator would share so much. "
      "Without this, what remains against the group would not be enough to act.");
  EXPECT_EQ(
      texts[2],
      "31 conversations since 22 April 2026, 08:00 UTC began on one of these 212 accounts and went on at another, "
      "with text that could not be guessed. By chance at most one in a million groups of accounts without a "
      "common operator would share so much. Without this, what remains against the group would still be enough "
      "to act.");
  EXPECT_EQ(texts[3].substr(0, 53), "60 of 212 accounts have the same means of payment. No") << texts[3];
}

// A reader of the sentences needs no mathematics; the figures are beside them.
TEST_F(Reasons, SentencesHaveNoJargonAndNumbersHaveTheFigures) {
  auto all = group_reasons(finding_, context_);
  for (auto& reason : member_reasons(finding_, member_, context_)) all.push_back(reason);
  for (const event::Reason& reason : all) {
    for (const std::string_view jargon : {"log10", "10^", "e-value", "p-value", "sigma", "null hypothesis", "token"})
      EXPECT_EQ(reason.text.find(jargon), std::string::npos) << reason.text;
    EXPECT_TRUE(reason.text.ends_with('.')) << reason.text;
    EXPECT_EQ(reason.text.find(".."), std::string::npos) << reason.text;
    EXPECT_EQ(std::count_if(reason.numbers.begin(), reason.numbers.end(),
                            [](const auto& number) { return number.first == "log10_e"; }),
              1);
  }
}

TEST_F(Reasons, NothingIsClaimedWithoutGround) {
  context_ = {};
  finding_.harvest = {0.5, 0, false};
  finding_.channel_log10_e.clear();
  member_.log10_p = -0.3;
  for (const event::Reason& reason : member_reasons(finding_, member_, context_)) {
    for (const std::string_view claim : {"By chance", "honest", "Without this"})
      EXPECT_EQ(reason.text.find(claim), std::string::npos) << reason.text;
  }
}

TEST(Sentences, ChancesAreRoundedTowardsLikelyAndEndAtATrillion) {
  EXPECT_EQ(chance_in_words(-1), "");
  EXPECT_EQ(chance_in_words(0.99), "");
  EXPECT_EQ(chance_in_words(1), "one in 10");
  EXPECT_EQ(chance_in_words(5.99), "one in 100,000");
  EXPECT_EQ(chance_in_words(6), "one in a million");
  EXPECT_EQ(chance_in_words(300), "one in a trillion");
  EXPECT_EQ(chance_in_words(std::nan("")), "");
}

TEST(Sentences, RatesAndNumbers) {
  EXPECT_EQ(rate_in_words(0, 100), "none");
  EXPECT_EQ(rate_in_words(1, 41'234), "about 1 in 41,000");
  EXPECT_EQ(rate_in_words(10, 100), "about 1 in 10");
  EXPECT_EQ(rate_in_words(50, 100), "50 of 100");
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(28'800'000), "28,800,000");
  EXPECT_EQ(some(1, "account", "accounts"), "1 account");
  EXPECT_EQ(date_in_words(*base::parse_time("2026-12-01T23:59:59Z")), "1 December 2026, 23:59 UTC");
}

}  // namespace
}  // namespace stillwatch::engine
