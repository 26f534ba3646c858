// Asking authorities over HTTP: the openssl program as a good one, and ones that lie, hang or are gone.
#include "audit/stamp_asker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "audit/stamp_fixture.h"
#include "http/socket_fixture.h"

namespace stillwatch::audit {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kNote =
    "audit.example/anchor/2026\n3\npkvybgkSj2/i/m+LLYyAHhZrV8BHp82bK4Ceepai8cs=\n\nlines\n";

class stamp_asker : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { authority_ = new OpensslAuthority; }
  static void TearDownTestSuite() { delete authority_; }
  void SetUp() override { ASSERT_TRUE(authority_->ready()); }

  /// A server that answers by `play`; by the openssl program when that gives nothing.
  std::string serve(std::function<std::optional<std::string>(const std::string& query)> play) {
    servers_.push_back(http::serve(http::loopback_options(),
                                   [this, play](http::Exchange& exchange) { return answer(exchange, play); }));
    return "http://127.0.0.1:" + std::to_string(servers_.back()->port()) + "/tsa";
  }
  http::Task<void> answer(http::Exchange& exchange,
                          const std::function<std::optional<std::string>(const std::string&)>& play) {
    if (exchange.head().fields.find("content-type") == "application/timestamp-query") ++queries_;
    const auto query = co_await exchange.read_all(1U << 20);
    if (!query) co_return;
    const std::optional<std::string> played = play(*query);
    const std::string body = played ? *played : authority_->answer(*query);
    http::ResponseHead head(body == "503" ? 503 : 200);
    head.fields.add("content-type", "application/timestamp-reply");
    (void)co_await exchange.respond(std::move(head), body);
  }
  StampAsker asker(std::vector<std::pair<std::string, std::string>> authorities, std::int64_t timeout_ms = 5'000) {
    StampSettings settings;
    settings.timeout_ms = timeout_ms;
    for (auto& [name, url] : authorities) settings.authorities.push_back({name, url, authority_->ca_file(), ""});
    return std::move(*StampAsker::create(settings, StampStore(folder_ / "stamps"), counters_, alarms_));
  }
  StampAsker::Taken ask(StampAsker& asker, std::uint64_t size = 3) {
    return asker.ask("anchor-2026", size, kNote, wall_clock_ms());
  }

  static OpensslAuthority* authority_;
  ScratchFolder folder_;
  Counters counters_;
  AlarmBook alarms_{counters_};
  std::atomic<int> queries_{0};  // with the right content type
  std::vector<std::unique_ptr<http::Server>> servers_;
};
OpensslAuthority* stamp_asker::authority_ = nullptr;

TEST_F(stamp_asker, keeps_reply_and_note_so_that_openssl_can_verify_them) {
  StampAsker asking = asker({{"tsa1", serve([](const std::string&) { return std::nullopt; })},
                             {"tsa2", serve([](const std::string&) { return std::nullopt; })}});
  const StampAsker::Taken taken = ask(asking, 1'234);
  EXPECT_EQ(taken.stamps, 2U) << taken.failures;
  EXPECT_EQ(taken.failures, "");
  EXPECT_EQ(queries_, 2);
  const StampStore store(folder_ / "stamps");
  const auto kept = store.list("anchor-2026").value();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].authority, "tsa1");
  EXPECT_EQ(kept[0].size, 1'234U);
  EXPECT_EQ(kept[0].reply_path, folder_ / "stamps/anchor-2026/tsa1/x001/234.tsr");
  EXPECT_EQ(base::read_file(kept[0].note_path, 1U << 20).value(), kNote);
  EXPECT_TRUE(authority_->run("openssl ts -verify -data '" + kept[0].note_path + "' -in '" + kept[0].reply_path +
                              "' -CAfile ca.pem"));
  EXPECT_EQ(store.newest_token_hash().value(), taken.token_hash);
  EXPECT_TRUE(store.list("anchor-2027")->empty());
  EXPECT_EQ(counters_.stamps, 2U);
  EXPECT_EQ(counters_.newest_stamped_size, 1'234U);
}

TEST_F(stamp_asker, one_that_lies_or_hangs_is_counted_and_the_others_go_on) {
  http::Scripted hangs([](http::RawSocket& connection, int) { connection.until_closed(); });
  std::string replayed;
  StampAsker asking = asker({{"garbage", serve([](const std::string&) { return "<html>"; })},
                             {"down", serve([](const std::string&) { return "503"; })},
                             {"empty", serve([](const std::string&) { return ""; })},
                             {"long", serve([](const std::string&) { return std::string(1U << 20, '0'); })},
                             {"replays", serve([&](const std::string&) { return replayed; })},
                             {"hangs", "http://" + hangs.address()},
                             {"gone", "http://127.0.0.1:1/"},
                             {"good", serve([](const std::string&) { return std::nullopt; })}},
                            400);
  replayed = authority_->answer(stamp_request(kNote)->der);
  const StampAsker::Taken taken = ask(asking);
  EXPECT_EQ(taken.stamps, 1U);
  EXPECT_EQ(counters_.stamp_failures, 7U);
  for (const char* name : {"garbage", "down", "empty", "long", "replays", "hangs", "gone"}) {
    EXPECT_THAT(taken.failures, HasSubstr(std::string(name) + ": "));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "stamps/anchor-2026/" + name));
  }
}

TEST_F(stamp_asker, raises_an_alarm_when_one_is_silent_for_long_and_ends_it) {
  bool is_up = false;
  StampAsker asking = asker({{"tsa", serve([&](const std::string&) -> std::optional<std::string> {
                                return is_up ? std::nullopt : std::optional<std::string>("503");
                              })}});
  const std::int64_t now = wall_clock_ms();
  EXPECT_EQ(asking.ask("anchor-2026", 1, kNote, now - 3'600'001).stamps, 0U);
  EXPECT_FALSE(alarms_.is_on(AlarmKind::stamp_missing, "tsa"));
  EXPECT_EQ(asking.ask("anchor-2026", 2, kNote, now).stamps, 0U);
  EXPECT_TRUE(alarms_.is_on(AlarmKind::stamp_missing, "tsa"));
  is_up = true;
  EXPECT_EQ(asking.ask("anchor-2026", 3, kNote, now).stamps, 1U);
  EXPECT_FALSE(alarms_.is_on(AlarmKind::stamp_missing, "tsa"));
}

TEST_F(stamp_asker, a_clock_that_differs_is_an_alarm_and_the_stamp_is_kept) {
  StampAsker asking = asker({{"tsa", serve([](const std::string&) { return std::nullopt; })}});
  EXPECT_EQ(asking.ask("anchor-2026", 1, kNote, wall_clock_ms() - 120'000).stamps, 1U);
  EXPECT_TRUE(alarms_.is_on(AlarmKind::clock_skew, "tsa"));
  EXPECT_EQ(ask(asking, 2).stamps, 1U);
  EXPECT_FALSE(alarms_.is_on(AlarmKind::clock_skew, "tsa"));
}

TEST_F(stamp_asker, names_are_folder_names_and_unique) {
  const auto create = [&](std::vector<StampAuthority> authorities) {
    StampSettings settings;
    settings.authorities = std::move(authorities);
    return StampAsker::create(settings, StampStore(folder_ / "stamps"), counters_, alarms_).has_value();
  };
  EXPECT_TRUE(create({{"a", "http://x/", "ca.pem", ""}}));
  EXPECT_FALSE(create({{"../a", "http://x/", "ca.pem", ""}}));
  EXPECT_FALSE(create({{"", "http://x/", "ca.pem", ""}}));
  EXPECT_FALSE(create({{"a", "http://x/", "ca.pem", ""}, {"a", "http://y/", "ca.pem", ""}}));
  EXPECT_FALSE(create({{"a", "", "ca.pem", ""}}));
  EXPECT_FALSE(create({{"a", "http://x/", "", ""}}));
}

TEST_F(stamp_asker, damage_in_the_newest_reply_is_an_error_that_names_the_file) {
  const StampStore store(folder_ / "stamps");
  EXPECT_EQ(store.newest_token_hash().value(), (std::array<std::uint8_t, 32>{}));
  ASSERT_TRUE(base::make_writable_folder(folder_ / "stamps"));
  ASSERT_TRUE(base::write_file(folder_ / "stamps/newest", "damage"));
  const auto hash = store.newest_token_hash();
  ASSERT_FALSE(hash);
  EXPECT_THAT(hash.error().message, HasSubstr("stamps/newest"));
}

}  // namespace
}  // namespace stillwatch::audit
