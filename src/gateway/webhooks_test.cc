#include "gateway/webhooks.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "gateway/webhook_journal.h"

namespace stillwatch::gateway {
namespace {

struct Post {
  std::string url, id, body;
  WebhookFields fields;
};

// An endpoint that answers as it is told and remembers.
class Endpoint {
 public:
  WebhookSend send() {
    return [this](const std::string& url, const WebhookFields& fields, std::string_view body) -> base::Result<int> {
      const std::lock_guard lock(mutex_);
      posts_.push_back({url, fields.at(1).second, std::string(body), fields});
      if (failures_ > 0) {
        --failures_;
        return base::fail(base::Fault::environment, "no answer", true);
      }
      return status_;
    };
  }
  void answer(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  void fail_times(int times) {
    const std::lock_guard lock(mutex_);
    failures_ = times;
  }
  std::vector<Post> posts() {
    const std::lock_guard lock(mutex_);
    return posts_;
  }

 private:
  std::mutex mutex_;
  std::vector<Post> posts_;
  int status_ = 204, failures_ = 0;
};

class WebhookDelivery : public ::testing::Test {
 protected:
  void SetUp() override {
    settings_.first_retry_ms = 1;
    settings_.retry_ms_max = 2;
  }
  std::unique_ptr<WebhookSender> start(const std::vector<std::string>& urls) {
    std::vector<WebhookEndpoint> endpoints;
    for (const std::string& url : urls) endpoints.push_back({url, std::vector<std::uint8_t>(32, 7), 0xF});
    auto sender = WebhookSender::start(settings_, endpoints, endpoint_.send());
    EXPECT_TRUE(sender);
    return std::move(*sender);
  }
  const base::test::Folder folder_;
  WebhookSettings settings_;
  Endpoint endpoint_;
};

// The worked example of the Standard Webhooks specification.
TEST(WebhookSignature, ExampleOfTheSpecification) {
  const auto secret = parse_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  ASSERT_TRUE(secret);
  const WebhookFields fields =
      sign_webhook(*secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})");
  EXPECT_EQ(fields.at(1), std::make_pair(std::string("webhook-id"), std::string("msg_p5jXN8AQM9LWM0D4loKWxJek")));
  EXPECT_EQ(fields.at(2), std::make_pair(std::string("webhook-timestamp"), std::string("1614265330")));
  EXPECT_EQ(fields.at(3), std::make_pair(std::string("webhook-signature"),
                                         std::string("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")));
}

TEST(WebhookSignature, SecretsAreCheckedAndNeverRepeated) {
  for (const char* text :
       {"", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8G!YqrTwjUPD8ILPZIo2LaLaSw"}) {
    const auto secret = parse_webhook_secret(text);
    ASSERT_FALSE(secret) << text;
    EXPECT_EQ(secret.error().message.find("MfKQ9r8G"), std::string::npos);
  }
}

TEST(WebhookDelay, DoublesWithinItsBounds) {
  const WebhookSettings settings;
  for (std::uint32_t failures = 1; failures < 60; ++failures) {
    const std::int64_t full = std::min<std::int64_t>(failures > 30 ? INT64_MAX : 1'000LL << (failures - 1), 3'600'000);
    std::set<std::int64_t> delays;
    for (std::uint64_t random = 0; random < 50; ++random) {
      const std::int64_t delay = webhook_delay_ms(settings, failures, random);
      EXPECT_GE(delay, full / 2);
      EXPECT_LE(delay, full);
      EXPECT_EQ(delay, webhook_delay_ms(settings, failures, random));
      delays.insert(delay);
    }
    EXPECT_GT(delays.size(), 25U);
  }
}

TEST_F(WebhookDelivery, EveryEventOnceInOrderToEachEndpoint) {
  const auto sender = start({"https://a", "https://b"});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(sender->push(WebhookType::verdict_changed, 1'777'000'000'000'000, std::to_string(i)));
  }
  sender->stop(60'000);
  for (const char* url : {"https://a", "https://b"}) {
    int next = 0;
    for (const Post& post : endpoint_.posts()) {
      if (post.url != url) continue;
      EXPECT_EQ(post.body, R"({"type":"verdict.changed","timestamp":"2026-04-24T03:06:40Z","data":)" +
                               std::to_string(next++) + "}");
    }
    EXPECT_EQ(next, 100);
  }
  const WebhookCounts counts = sender->counts();
  EXPECT_EQ(counts.accepted, 100U);
  EXPECT_EQ(counts.delivered, 200U);
  EXPECT_EQ(counts.waiting + counts.dropped + counts.failed_attempts, 0U);
}

TEST_F(WebhookDelivery, RetriesUnderTheSameIdAndKeepTheOrder) {
  endpoint_.fail_times(5);
  const auto sender = start({"https://a"});
  sender->push(WebhookType::alarm_raised, 0, "1");
  sender->push(WebhookType::observer_gap, 0, "2");
  sender->stop(60'000);
  const auto posts = endpoint_.posts();
  ASSERT_EQ(posts.size(), 7U);
  for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(posts[i].id, posts[0].id);
  EXPECT_NE(posts[6].id, posts[0].id);
  EXPECT_NE(posts[6].body.find("observer.gap"), std::string::npos);
  EXPECT_EQ(sender->counts().failed_attempts, 5U);
  EXPECT_EQ(sender->counts().delivered, 2U);
}

TEST_F(WebhookDelivery, GivesUpAndCounts) {
  settings_.attempts_max = 3;
  endpoint_.answer(500);
  const auto sender = start({"https://a"});
  sender->push(WebhookType::notice_due, 0, "1");
  sender->stop(60'000);
  EXPECT_EQ(endpoint_.posts().size(), 3U);
  EXPECT_EQ(sender->counts().dropped, 1U);
  EXPECT_EQ(sender->counts().waiting, 0U);
}

TEST_F(WebhookDelivery, AnEndpointThatIsGoneGetsNoMore) {
  endpoint_.answer(410);
  const auto sender = start({"https://a"});
  for (int i = 0; i < 10; ++i) sender->push(WebhookType::verdict_changed, 0, "1");
  sender->stop(60'000);
  EXPECT_EQ(endpoint_.posts().size(), 1U);
  EXPECT_EQ(sender->counts().dropped, 10U);
}

TEST_F(WebhookDelivery, AFullQueueDropsAndCountsAndNeverBlocks) {
  settings_.queue_events_max = 5;
  std::mutex gate;
  std::unique_lock closed(gate);
  WebhookEndpoint endpoint{"https://a", std::vector<std::uint8_t>(32, 7), 0xF};
  auto sender = WebhookSender::start(
      settings_, {endpoint}, [&](const std::string&, const WebhookFields&, std::string_view) -> base::Result<int> {
        const std::lock_guard wait(gate);
        return 200;
      });
  ASSERT_TRUE(sender);
  for (int i = 0; i < 100; ++i) (*sender)->push(WebhookType::verdict_changed, 0, "1");
  EXPECT_GE((*sender)->counts().dropped, 80U);
  closed.unlock();
  (*sender)->stop(60'000);
  const WebhookCounts counts = (*sender)->counts();
  EXPECT_EQ(counts.delivered + counts.dropped, 100U);
  EXPECT_EQ(counts.waiting, 0U);
  EXPECT_FALSE((*sender)->push(WebhookType::verdict_changed, 0, "1"));
}

// It must notice the end while it waits: for nothing at all, and for a retry that is an hour away.
TEST_F(WebhookDelivery, StopsWhileItIsIdle) {
  for (const int status : {204, 503}) {
    endpoint_.answer(status);
    settings_.first_retry_ms = settings_.retry_ms_max = 3'600'000;
    const auto sender = start({"https://a"});
    sender->push(WebhookType::verdict_changed, 0, "1");
    while (sender->counts().delivered + sender->counts().failed_attempts == 0) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    sender->stop(status == 204 ? 3'600'000 : 1);
    EXPECT_EQ(sender->counts().delivered, status == 204 ? 1U : 0U);
    EXPECT_EQ(sender->counts().dropped, status == 204 ? 0U : 1U);
  }
}

TEST_F(WebhookDelivery, OnlyWantedTypes) {
  WebhookEndpoint endpoint{"https://a", std::vector<std::uint8_t>(32, 7),
                           1U << static_cast<unsigned>(WebhookType::alarm_raised)};
  auto sender = WebhookSender::start(settings_, {endpoint}, endpoint_.send());
  (*sender)->push(WebhookType::verdict_changed, 0, "1");
  (*sender)->push(WebhookType::alarm_raised, 0, "2");
  (*sender)->stop(60'000);
  ASSERT_EQ(endpoint_.posts().size(), 1U);
  EXPECT_NE(endpoint_.posts()[0].body.find("alarm.raised"), std::string::npos);
}

TEST_F(WebhookDelivery, WhatIsLeftIsDeliveredAfterARestartUnderItsId) {
  settings_.journal_path = folder_ / "webhooks.ndjson";
  settings_.first_retry_ms = settings_.retry_ms_max = 3'600'000;
  endpoint_.answer(503);
  {
    const auto sender = start({"https://a"});
    for (int i = 0; i < 20; ++i) sender->push(WebhookType::verdict_changed, 0, std::to_string(i));
    while (endpoint_.posts().empty()) std::this_thread::yield();
    sender->stop(0);
    EXPECT_EQ(sender->counts().waiting, 20U);
    EXPECT_EQ(sender->counts().dropped, 0U);
  }
  endpoint_.answer(200);
  const auto sender = start({"https://a"});
  sender->stop(60'000);
  const auto posts = endpoint_.posts();
  ASSERT_EQ(posts.size(), 21U);
  EXPECT_EQ(posts[1].id, posts[0].id);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(posts[i + 1].body.ends_with("\"data\":" + std::to_string(i) + "}")) << posts[i + 1].body;
  }
  // And nothing after that.
  auto journal = WebhookJournal::open(settings_.journal_path, 1 << 20);
  ASSERT_TRUE(journal);
  EXPECT_TRUE((*journal)->left().empty());
}

TEST_F(WebhookDelivery, AFullJournalDropsAndCounts) {
  settings_.journal_path = folder_ / "webhooks.ndjson";
  settings_.journal_bytes_max = 2'000;
  settings_.first_retry_ms = settings_.retry_ms_max = 3'600'000;
  endpoint_.answer(503);
  const auto sender = start({"https://a"});
  for (int i = 0; i < 100; ++i) sender->push(WebhookType::verdict_changed, 0, std::string(100, '1'));
  sender->stop(0);
  EXPECT_GT(sender->counts().waiting, 3U);
  EXPECT_EQ(sender->counts().waiting + sender->counts().dropped, 100U);
  EXPECT_LE(std::filesystem::file_size(settings_.journal_path), 2'000U);
}

TEST(WebhookJournal, TornAndForeignLinesAreLeftOutAndCounted) {
  std::uint64_t bad = 0;
  const auto left = parse_webhook_journal(
      "{\"v\":1,\"id\":\"m1\",\"url\":\"u\",\"body\":\"{\\\"a\\\":1}\"}\n"
      "rubbish\n"
      "{\"v\":1,\"id\":\"m2\",\"url\":\"u\",\"body\":\"2\"}\n"
      "{\"v\":1,\"done\":\"m1\"}\n{\"v\":1,\"done\":\"m9\"}\n"
      "{\"v\":1,\"id\":\"m2\",\"url\":\"u\",\"body\":\"again\"}\n"
      "{\"v\":1,\"id\":\"m3\",\"url\":\"u\",\"bo",
      bad);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].id, "m2");
  EXPECT_EQ(left[0].body, "2");
  EXPECT_EQ(bad, 3U);
}

}  // namespace
}  // namespace stillwatch::gateway
