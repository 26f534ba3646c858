#include "gateway/api_input.h"

#include <gtest/gtest.h>

#include "base/event_time.h"

namespace stillwatch::gateway {
namespace {

TEST(ApiInput, Check) {
  const auto input = read_check(
      R"({"account":"a","end_user":"u","model":"m","n":3,"logprobs":true,"max_output_tokens":9,"unknown":[1]})");
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->account, "a");
  EXPECT_EQ(input->end_user, "u");
  EXPECT_EQ(input->n, 3U);
  EXPECT_TRUE(input->logprobs);
  EXPECT_EQ(input->output_tokens_max, 9);
  for (const char* bad : {"", "[]", "{", R"({"account":7})", R"({"account":"a","n":-1})", R"({"account":"a","n":"1"})",
                          R"({"account":"a","logprobs":1})", R"({"model":"m"})"}) {
    EXPECT_FALSE(read_check(bad)) << bad;
  }
  EXPECT_FALSE(read_check(R"({"account":")" + std::string(1'000, 'a') + "\"}"));
}

TEST(ApiInput, Override) {
  const auto input = read_override(
      R"({"subject":{"kind":"end_user","account":"a","id":"u"},"level":"restrict","until":"2027-01-01T00:00:00Z",)"
      R"("who":"w","note":"n"})",
      7);
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->account, "a");
  EXPECT_EQ(input->end_user, "u");
  EXPECT_EQ(input->level, event::Level::restrict);
  EXPECT_EQ(input->set_us, 7);
  EXPECT_EQ(base::format_time(input->until_us), "2027-01-01T00:00:00Z");
  for (const char* bad :
       {R"({"subject":{"kind":"account"},"level":"clear","until":"2027-01-01T00:00:00Z"})",
        R"({"subject":{"kind":"account","id":"a"},"level":"harsh","until":"2027-01-01T00:00:00Z"})",
        R"({"subject":{"kind":"account","id":"a"},"level":"clear","until":"tomorrow"})",
        R"({"subject":{"kind":"campaign","id":"a"},"level":"clear","until":"2027-01-01T00:00:00Z"})"}) {
    EXPECT_FALSE(read_override(bad, 0)) << bad;
  }
}

TEST(ApiInput, DryRun) {
  EXPECT_TRUE(read_dry_run(R"({"on":true})")->on);
  EXPECT_FALSE(read_dry_run(R"({"on":false})")->on);
  EXPECT_EQ(read_dry_run(R"({"on":true,"remedy":"verify"})")->remedy, "verify");
  EXPECT_FALSE(read_dry_run("{}")) << "who says nothing changes nothing";
  EXPECT_FALSE(read_dry_run(R"({"on":"yes"})"));
}

TEST(ApiInput, QueryParameters) {
  EXPECT_EQ(query_parameter("a=1&b=two%20words&c=x+y", "b"), "two words");
  EXPECT_EQ(query_parameter("a=1&b=two%20words&c=x+y", "c"), "x y");
  EXPECT_EQ(query_parameter("ab=1", "b"), "");
  EXPECT_EQ(query_parameter("b", "b"), "");
  EXPECT_EQ(query_parameter("b=%", "b"), "%");
  EXPECT_EQ(query_parameter("b=%zz", "b"), "%zz");
}

}  // namespace
}  // namespace stillwatch::gateway
