#include "text/fingerprint.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "crypto/keyed_hash_fixture.h"
#include "sketch/one_permutation_minhash.h"
#include "sketch/simhash.h"
#include "text/scores.h"
#include "text/test_prompts.h"

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

// Counts what the product allocates in the steady state.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace stillwatch::text {
namespace {

using crypto::test::hash_of;

struct Turn {
  Role role;
  std::string text;
};

class FingerprintTest : public ::testing::Test {
 protected:
  event::Fingerprint of(const std::vector<Turn>& turns) {
    fingerprinter_.begin();
    for (const auto& turn : turns) {
      fingerprinter_.begin_turn(turn.role);
      fingerprinter_.add_text(turn.text);
    }
    return fingerprinter_.finish();
  }
  event::Fingerprint of(std::string_view prompt) { return of({{Role::user, std::string(prompt)}}); }

  Fingerprinter fingerprinter_{hash_of(1)};
};

// The byte form of logs depends on these: a change breaks replaying old logs with fingerprints.
TEST_F(FingerprintTest, IsTheSameOnEveryMachine) {
  const auto f = of(
      {{Role::system, "Be brief."}, {Role::user, "Explain the Krebs cycle in 5 steps to a student of law, please."}});
  const auto again = of(
      {{Role::system, "Be brief."}, {Role::user, "Explain the Krebs cycle in 5 steps to a student of law, please."}});
  EXPECT_EQ(f, again);
  EXPECT_EQ(f.prompt, 9533215774975989160U);
  EXPECT_EQ(f.conversation, 13779450187227588047U);
  EXPECT_EQ(f.system, 638715611311211750U);
  EXPECT_EQ(f.templates[0], 15375850175878760770U);
  EXPECT_EQ(f.templates[4], 3252916380512793166U);
  EXPECT_EQ(f.simhash_head, 9741287563694021486U);
  EXPECT_EQ(f.coverage_bucket, 1253);
  EXPECT_EQ(f.template_words, 13);
  EXPECT_EQ(f.turns, 1);
  Fingerprinter other(hash_of(2));
  other.begin();
  other.begin_turn(Role::user);
  other.add_text("Explain the Krebs cycle in 5 steps to a student of law, please.");
  const auto g = other.finish();
  EXPECT_NE(f.prompt, g.prompt);
  EXPECT_NE(f.templates[0], g.templates[0]);
  EXPECT_NE(f.minhash, g.minhash);
  EXPECT_NE(f.simhash_head, g.simhash_head);
}

TEST_F(FingerprintTest, SplittingTextChangesNothing) {
  base::Random random(5);
  for (const std::size_t bytes : {30U, 700U, 4'096U, 4'097U, 9'000U, 60'000U}) {
    const std::string text = made_prose(random, bytes) + "é 漢字";
    const auto whole = of(text);
    fingerprinter_.begin();
    fingerprinter_.begin_turn(Role::user);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = std::min<std::size_t>(1 + random.below(97), text.size() - at);
      fingerprinter_.add_text(std::string_view(text).substr(at, length));
      at += length;
    }
    EXPECT_EQ(fingerprinter_.finish(), whole) << bytes;
  }
}

TEST_F(FingerprintTest, EmptyRequestsSayNothing) {
  fingerprinter_.begin();
  EXPECT_EQ(fingerprinter_.finish(), event::Fingerprint{});
  const auto f = of(" \n\t ");
  EXPECT_EQ(f.prompt, 0U);
  EXPECT_EQ(f.templates, event::Fingerprint{}.templates);
  EXPECT_NE(f.conversation, 0U);
  EXPECT_EQ(of("Hello").templates, event::Fingerprint{}.templates);  // too short to tell
}

TEST_F(FingerprintTest, AnyBytesAreRead) {
  base::Random random(6);
  for (int run = 0; run < 3'000; ++run) {
    std::string text(random.below(run % 10 == 0 ? 9'000 : 300), '\0');
    for (auto& c : text)
      c = static_cast<char>(random.chance(0.5) ? random() : "\"'`.:/@\n a1\xE2\x80\x9C\xC3"[random.below(15)]);
    EXPECT_EQ(of(text), of(text));
    EXPECT_LT(of(text).coverage_bucket, 2'048);
  }
}

TEST_F(FingerprintTest, FoldingAndBlanksDoNotChangeThePrompt) {
  EXPECT_EQ(of("Tell me  about\nFOXES").prompt, of("  tell me about foxes\n").prompt);
  EXPECT_NE(of("tell me about 2 foxes").prompt, of("tell me about 3 foxes").prompt);
}

// Request k + 1 of a conversation carries what request k was, whatever else its client changes.
TEST_F(FingerprintTest, PrefixIsTheConversationOfTheEarlierRequest) {
  base::Random random(8);
  std::vector<Turn> turns;
  std::vector<event::Fingerprint> requests;
  std::size_t spoken = 0;
  for (int k = 0; k < 6; ++k) {
    if (k > 0) turns.push_back({Role::assistant, made_prose(random, 300)});
    if (k == 3) turns.push_back({Role::assistant, "a second part of the same reply"});
    if (k == 4) turns.push_back({Role::tool, "{\"result\":1}"});
    const std::size_t before = spoken;
    if (k != 4) turns.push_back({Role::user, made_prose(random, 200)});
    spoken = 0;
    for (const auto& turn : turns) spoken += turn.role == Role::tool ? 0 : turn.text.size();
    auto sent = turns;
    sent.insert(sent.begin() + (k % 2), {Role::system, "system prompt " + std::to_string(k)});
    for (auto& turn : sent) turn.text = (k % 2 == 0 ? "\n" : "") + turn.text + (k % 3 == 0 ? "  " : "");
    requests.push_back(of(sent));
    for (int back = 1; back <= 3; ++back) {
      const base::Token expected = back <= k ? requests[k - back].conversation : 0;
      EXPECT_EQ(requests[k].prefixes[back - 1], expected) << k << " " << back;
    }
    EXPECT_EQ(requests[k].prefix_has_reply, k >= 2);
    if (k > 0) {
      EXPECT_GE(requests[k].prefix_bytes, before);
      EXPECT_LE(requests[k].prefix_bytes, before + 3 * 20);
    }
  }
}

TEST_F(FingerprintTest, PrefilledReplyDoesNotHideTheConversation) {
  const std::vector<Turn> asked{{Role::user, "one"}, {Role::assistant, "two"}, {Role::user, "three"}};
  auto prefilled = asked;
  prefilled.push_back({Role::assistant, "{"});
  const auto plain = of(asked), with = of(prefilled);
  EXPECT_EQ(plain.conversation, with.conversation);
  EXPECT_EQ(plain.prefixes, with.prefixes);
  auto next = asked;
  next.push_back({Role::assistant, "{\"answer\": 4}"});
  next.push_back({Role::user, "five"});
  EXPECT_EQ(of(next).prefixes[0], with.conversation);
  EXPECT_EQ(of(next).prefixes[1], of({{Role::user, "one"}}).conversation);
}

TEST_F(FingerprintTest, OtherPartsAreKindAndSize) {
  const auto with = [&](std::string_view kind, std::size_t bytes) {
    fingerprinter_.begin();
    fingerprinter_.begin_turn(Role::user);
    fingerprinter_.add_text("What is this?");
    fingerprinter_.add_other_part(kind, bytes);
    return fingerprinter_.finish();
  };
  EXPECT_EQ(with("image", 10), with("image", 10));
  EXPECT_NE(with("image", 10).conversation, with("image", 11).conversation);
  EXPECT_NE(with("image", 10).conversation, with("file", 10).conversation);
  EXPECT_EQ(with("image", 10).prompt, of("What is this?").prompt);
  EXPECT_EQ(with("image", 10).parts_other, 1);
}

TEST_F(FingerprintTest, ToolsSchemaAndParametersAreTokens) {
  const auto with = [&](std::string_view tools, std::string_view schema, const Parameters& parameters) {
    fingerprinter_.begin();
    fingerprinter_.set_tools(tools);
    fingerprinter_.set_schema(schema);
    fingerprinter_.set_parameters(parameters);
    return fingerprinter_.finish();
  };
  Parameters parameters;
  EXPECT_EQ(with("", "", parameters), event::Fingerprint{});
  parameters.temperature = 0.7;
  const auto f = with(R"([{"name": "a"}])", R"({"type":"object"})", parameters);
  EXPECT_EQ(f, with("[ {\"name\":\n\"a\"} ]", R"({"type": "object"})", parameters));
  EXPECT_NE(f.tools, with(R"([{"name": "b"}])", "", parameters).tools);
  parameters.n = 2;
  EXPECT_NE(f.params, with("", "", parameters).params);
}

TEST_F(FingerprintTest, NearTextsHaveNearSketches) {
  base::Random random(9);
  const std::string text = made_prose(random, 1'500);
  const auto near = of(text + " and one more sentence here."), same = of(text), far = of(made_prose(random, 1'500));
  EXPECT_GT(sketch::jaccard_estimate(same.minhash, near.minhash), 0.8);
  EXPECT_LT(sketch::jaccard_estimate(same.minhash, far.minhash), 0.2);
  EXPECT_LT(sketch::hamming_distance(same.simhash_head, near.simhash_head), 3);
  EXPECT_GT(sketch::hamming_distance(same.simhash_head, far.simhash_head), 10);
}

// The middle of a long prompt is sampled by content: a passage is found again after text before it has grown.
TEST_F(FingerprintTest, LongMiddleIsSampledConsistently) {
  base::Random random(10);
  const std::string head = made_prose(random, 4'000), passage = made_prose(random, 20'000),
                    tail = made_prose(random, 4'000);
  const auto one = of(head + passage + tail);
  const auto shifted = of(made_prose(random, 4'137) + passage + made_prose(random, 4'000));
  const auto other = of(made_prose(random, 4'000) + made_prose(random, 20'000) + made_prose(random, 4'000));
  EXPECT_GT(sketch::jaccard_estimate(one.minhash, shifted.minhash),
            sketch::jaccard_estimate(one.minhash, other.minhash) + 0.01);
}

TEST_F(FingerprintTest, ScoresFollowTheirCues) {
  const auto score = [](const event::Fingerprint& f, Score s) { return f.scores[static_cast<std::size_t>(s)]; };
  const auto code = of("Write a python function that sorts an array:\n```\nx = []\n```");
  const auto list = of("List different ideas and generate several examples of topics.");
  EXPECT_GT(score(code, Score::code), score(list, Score::code));
  EXPECT_GT(score(list, Score::breadth), score(code, Score::breadth));
  EXPECT_GT(score(of("请一步步推理并解释证明的步骤"), Score::reasoning), 0);
  EXPECT_EQ(of("zorb blarg quux").scores, event::Fingerprint{}.scores);
}

TEST_F(FingerprintTest, SteadyStateDoesNotAllocate) {
  base::Random random(12);
  std::vector<std::string> prompts;
  for (const std::size_t bytes : {20U, 800U, 4'000U, 50'000U, 400'000U}) prompts.push_back(made_prose(random, bytes));
  const auto pass = [&] {
    std::uint64_t sum = 0;
    for (const auto& prompt : prompts) {
      fingerprinter_.begin();
      for (const Role role : {Role::system, Role::user, Role::assistant, Role::user}) {
        fingerprinter_.begin_turn(role);
        fingerprinter_.add_text(prompt);
      }
      fingerprinter_.set_tools(prompt);
      sum += fingerprinter_.finish().prompt;
    }
    return sum;
  };
  const auto first = pass();
  const std::uint64_t before = allocations;
  EXPECT_EQ(pass(), first);
  EXPECT_EQ(allocations - before, 0U);
}

}  // namespace
}  // namespace stillwatch::text
