#include "gateway/run_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <thread>

#include "base/files.h"
#include "base/folder_fixture.h"

namespace stillwatch::gateway {
namespace {

using namespace settings;
using namespace metric;

// What a client sends comes as one of these, and none of them is a field.
static_assert(!std::is_constructible_v<LogField, Literal, std::string>);
static_assert(!std::is_constructible_v<LogField, Literal, std::string_view>);
static_assert(!std::is_constructible_v<LogField, Literal, const char*>);
static_assert(!std::is_constructible_v<LogField, Literal, char>);
static_assert(!std::is_constructible_v<Literal, const char*>);
static_assert(!std::is_constructible_v<Literal, std::string>);
static_assert(std::is_constructible_v<LogField, Literal, int>);

class RunLogFile : public ::testing::Test {
 protected:
  void SetUp() override { settings_.file = folder_ / "run.log"; }
  std::vector<std::string> lines(const std::string& file = "run.log") {
    std::vector<std::string> out;
    std::istringstream text(base::read_file(folder_ / file, 1 << 26).value_or(""));
    for (std::string line; std::getline(text, line);) out.push_back(line);
    return out;
  }
  const base::test::Folder folder_;
  Log settings_;
};

TEST(LogLine, HasEveryKindOfField) {
  const base::Error error{base::Fault::environment, "cannot write \"x\"", false};
  EXPECT_EQ(log_line(1'777'000'000'000'000, LogLevel::warn, "refused",
                     {{"reason", Refusal::limit_tokens},
                      {"dialect", RequestDialect::anthropic_messages},
                      {"level", event::Level::restrict},
                      {"status", 429},
                      {"bytes", std::uint64_t{18'446'744'073'709'551'615U}},
                      {"change", -5},
                      {"share", 0.25},
                      {"stream", true},
                      {"side", "client"},
                      {"upstream", Configured{"a\"b\n"}},
                      {"account", Hashed{0xABC}},
                      {"error", Failure{error}}},
                     7),
            R"({"time":"2026-04-24T03:06:40Z","level":"warn","event":"refused","reason":"limit_tokens",)"
            R"("dialect":"anthropic.messages","level":"restrict","status":429,"bytes":18446744073709551615,)"
            R"("change":-5,"share":0.25,"stream":true,"side":"client","upstream":"a\"b\n",)"
            R"("account":"0000000000000abc","error":"cannot write \"x\"","suppressed":7})");
}

TEST_F(RunLogFile, WritesWhatIsQueuedFromEveryThread) {
  {
    const auto log = RunLog::open(settings_);
    ASSERT_TRUE(log) << log.error().message;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int n = 0; n < 500; ++n) (*log)->write(LogLevel::info, "step", {{"n", n}});
      });
    }
    for (std::thread& thread : threads) thread.join();
    (*log)->write(LogLevel::debug, "too_fine", {});
    EXPECT_EQ((*log)->dropped_lines(), 0U);
  }
  EXPECT_EQ(lines().size(), 2'000U);
  for (const std::string& line : lines()) {
    EXPECT_TRUE(line.starts_with("{\"time\":\"") && line.ends_with("}")) << line;
    EXPECT_EQ(line.find("too_fine"), std::string::npos);
  }
}

TEST_F(RunLogFile, LimitsWhatClientsCanCauseAndSaysHowMuchWasLeftOut) {
  settings_.refusals_per_second_max = 3;
  std::uint64_t told = 0, written = 0;
  {
    const auto log = RunLog::open(settings_);
    ASSERT_TRUE(log);
    for (int n = 0; n < 10'000; ++n) {
      (*log)->write_limited(1, LogLevel::info, "refused", {{"reason", Refusal::network}});
    }
    (*log)->write_limited(2, LogLevel::info, "other", {});
    std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
    (*log)->write_limited(1, LogLevel::info, "refused", {{"reason", Refusal::network}});
  }
  for (const std::string& line : lines()) {
    if (line.find("\"refused\"") == std::string::npos) continue;
    ++written;
    if (const std::size_t at = line.find("\"suppressed\":"); at != std::string::npos) {
      told += std::stoull(line.substr(at + 13));
    }
  }
  EXPECT_EQ(written + told, 10'001U);
  EXPECT_LT(written, 100U);
  EXPECT_NE(lines().size(), written);
}

TEST_F(RunLogFile, OpensAgainAfterItWasMovedAway) {
  const auto log = RunLog::open(settings_);
  ASSERT_TRUE(log);
  (*log)->write(LogLevel::info, "before", {});
  while (lines().empty()) std::this_thread::yield();
  std::filesystem::rename(settings_.file, folder_ / "old.log");
  ASSERT_TRUE((*log)->reopen());
  (*log)->write(LogLevel::info, "after", {});
  while (lines().empty()) std::this_thread::yield();
  EXPECT_NE(lines().at(0).find("after"), std::string::npos);
  EXPECT_EQ(lines("old.log").size(), 1U);
}

TEST_F(RunLogFile, APlaceThatCannotBeWrittenIsAnError) {
  settings_.file = folder_ / "none/run.log";
  const auto log = RunLog::open(settings_);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().fault, base::Fault::environment);
}

}  // namespace
}  // namespace stillwatch::gateway
