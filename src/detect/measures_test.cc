#include "detect/measures.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace stillwatch::detect {
namespace {

struct Crowd {
  std::vector<GroupCounters> members;
  Measures measure() const {
    std::vector<const GroupCounters*> pointers;
    for (const auto& member : members) pointers.push_back(&member);
    return measure_group(pointers, {100'000, 400, 0}, 60, 300, 5);
  }
};

/// Requests dealt out evenly from one list of 100 templates.
Crowd queue(int accounts, int requests, std::uint64_t seed) {
  base::Random random(seed);
  Crowd crowd;
  crowd.members.resize(static_cast<std::size_t>(accounts));
  for (auto& member : crowd.members) {
    for (int i = 0; i < requests; ++i) {
      ++member.queries;
      ++member.queries_content;
      ++member.hits;
      ++member.hits_single_turn;
      member.active_days = 7;
      member.hit_output_tokens += 600;
      ++member.template_buckets[random.below(100) % GroupCounters::kTemplateBuckets];
      ++member.hours[random.below(24)];
      member.prompts.add(random.next());
    }
  }
  return crowd;
}

/// People with one product: few templates in personal mixes, own hours, own volume, common prompts.
Crowd people(int accounts, std::uint64_t seed) {
  base::Random random(seed);
  Crowd crowd;
  crowd.members.resize(static_cast<std::size_t>(accounts));
  for (auto& member : crowd.members) {
    const int requests = 3 + static_cast<int>(30 * random.exponential());
    const auto favourite = random.below(3);
    const auto wakes = random.below(24);
    member.active_days = 7;
    for (int i = 0; i < requests; ++i) {
      ++member.queries;
      ++member.queries_content;
      ++member.hits;
      member.hit_output_tokens += 300;
      ++member.template_buckets[random.chance(0.7) ? favourite : random.below(3)];
      ++member.hours[(wakes + random.below(8)) % 24];
      member.prompts.add(random.chance(0.5) ? random.below(20) : random.next());
    }
  }
  return crowd;
}

TEST(Measures, QueueIsEvenAndPeopleAreNot) {
  const Measures machine = queue(100, 60, 1).measure();
  const Measures human = people(100, 2).measure();
  ASSERT_TRUE(machine.testable);
  ASSERT_TRUE(human.testable);
  for (const Measure measure : {Measure::breadth, Measure::template_evenness, Measure::hour_evenness,
                                Measure::volume_evenness, Measure::division, Measure::single_turn}) {
    EXPECT_GT(machine[measure], human[measure]) << name(measure);
  }
  EXPECT_GT(machine[Measure::volume_evenness], human[Measure::volume_evenness] + 3);
  EXPECT_NEAR(machine[Measure::breadth], 5, 0.2);
}

// The evenness of people must not depend on how long one watches: an effect, not a test statistic.
TEST(Measures, EvennessOfPeopleStaysAsRequestsGrow) {
  const auto measured = [](int times) {
    Crowd crowd = people(100, 5);
    for (auto& member : crowd.members) {
      member.queries *= static_cast<std::uint32_t>(times);
      member.hits *= static_cast<std::uint32_t>(times);
      member.queries_content *= static_cast<std::uint32_t>(times);
      for (auto& count : member.hours) count = static_cast<std::uint8_t>(std::min(255, count * times));
      for (auto& count : member.template_buckets) count = static_cast<std::uint8_t>(std::min(255, count * times));
    }
    return crowd.measure();
  };
  const Measures early = measured(1), late = measured(4);
  for (const Measure measure : {Measure::hour_evenness, Measure::volume_evenness}) {
    EXPECT_NEAR(early[measure], late[measure], 0.8) << name(measure);
  }
}

TEST(Measures, FewRequestsShowNoEvenness) {
  EXPECT_LT(queue(10, 6, 6).measure()[Measure::volume_evenness],
            queue(100, 60, 6).measure()[Measure::volume_evenness] - 2);
}

TEST(Measures, OneTemplateHasNoMix) {
  Crowd crowd = queue(20, 20, 7);
  for (auto& member : crowd.members) {
    member.template_buckets = {};
    member.template_buckets[3] = 20;
  }
  EXPECT_EQ(crowd.measure()[Measure::template_evenness], kAbsentMeasure);
}

TEST(Measures, WholeSetByEveryLaboratoryIsNotDivided) {
  Crowd laboratories;
  laboratories.members.resize(12);
  for (auto& member : laboratories.members) {
    member.active_days = 3;
    for (std::uint64_t question = 0; question < 500; ++question) {
      ++member.queries;
      ++member.queries_content;
      ++member.hits;
      member.prompts.add(base::mix64(question + 77));
    }
  }
  const Measures measures = laboratories.measure();
  EXPECT_GT(measures.multiplicity, 8);
  EXPECT_LT(measures[Measure::division], -0.8);
}

TEST(Measures, TooFewHitsAreNotTestable) {
  EXPECT_FALSE(queue(4, 100, 3).measure().testable);
  EXPECT_FALSE(queue(10, 5, 4).measure().testable);
  EXPECT_FALSE(Crowd{}.measure().testable);
}

/// Without a single template: what all requests are about is all there is.
Crowd crowd_without_templates(int accounts, int requests, std::uint64_t seed, bool one_topic_each) {
  base::Random random(seed);
  Crowd crowd;
  crowd.members.resize(static_cast<std::size_t>(accounts));
  for (auto& member : crowd.members) {
    const auto topic = random.below(GroupCounters::kContentBuckets);
    member.active_days = 7;
    for (int i = 0; i < requests; ++i) {
      ++member.queries;
      ++member.queries_content;
      ++member.queries_single_turn;
      ++member.prompts_novel;
      member.output_tokens += 1'600;
      ++member.params_buckets[one_topic_each ? random.below(GroupCounters::kParamsBuckets) : 3];
      ++member.content_buckets[one_topic_each ? topic : random.below(GroupCounters::kContentBuckets)];
      ++member.hours[random.below(24)];
    }
  }
  return crowd;
}

TEST(Measures, ContentIsMeasuredWithoutTemplates) {
  const Measures queue_like = crowd_without_templates(20, 100, 8, false).measure();
  const Measures people_like = crowd_without_templates(20, 100, 9, true).measure();
  for (const Measures* measures : {&queue_like, &people_like}) {
    EXPECT_TRUE(measures->testable);
    EXPECT_EQ(measures->hits, 0U);
    for (const Measure absent : {Measure::breadth, Measure::template_evenness, Measure::division, Measure::single_turn,
                                 Measure::output_length, Measure::exclusivity}) {
      EXPECT_EQ((*measures)[absent], kAbsentMeasure) << name(absent);
    }
    EXPECT_EQ((*measures)[Measure::single_turn_all], 1);
    EXPECT_NEAR((*measures)[Measure::output_length_all], 2, 0.02) << "1,600 tokens against 400";
  }
  EXPECT_NEAR(queue_like[Measure::content_breadth], 6, 0.2);
  EXPECT_GT(queue_like[Measure::content_evenness], people_like[Measure::content_evenness] + 4)
      << "one list dealt out, against a topic each";
}

TEST(Measures, ParametersPinnedIsTheShareOfTheCommonest) {
  EXPECT_EQ(crowd_without_templates(20, 100, 10, false).measure()[Measure::params_pinned], 1);
  EXPECT_NEAR(crowd_without_templates(20, 100, 11, true).measure()[Measure::params_pinned], 0.125, 0.03);
}

TEST(Measures, FreshRepeatsAreOfNewPrompts) {
  Crowd crowd = crowd_without_templates(10, 40, 12, false);
  EXPECT_EQ(crowd.measure()[Measure::fresh_repeats], 0);
  for (auto& member : crowd.members) member.repeats_fresh = 10;
  EXPECT_DOUBLE_EQ(crowd.measure()[Measure::fresh_repeats], 0.25);
  for (auto& member : crowd.members) member.repeats_fresh = 400;
  EXPECT_EQ(crowd.measure()[Measure::fresh_repeats], 1) << "several senders of one prompt count once";
  for (auto& member : crowd.members) member.prompts_novel = 0;
  EXPECT_EQ(crowd.measure()[Measure::fresh_repeats], kAbsentMeasure);
}

TEST(Measures, FewRequestsWithoutTemplatesAreNotTestable) {
  EXPECT_FALSE(crowd_without_templates(10, 29, 13, false).measure().testable) << "290 requests";
  EXPECT_TRUE(crowd_without_templates(10, 30, 13, false).measure().testable);
  EXPECT_FALSE(crowd_without_templates(4, 100, 13, false).measure().testable) << "four members";
}

}  // namespace
}  // namespace stillwatch::detect
