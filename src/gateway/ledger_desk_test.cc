// Erasures and holds of a gateway that runs, as its admin API takes them.
#include "gateway/ledger_desk.h"

#include <chrono>
#include <thread>

#include "audit/recalled_leaves.h"
#include "gateway/service_fixture.h"
#include "intake/line_source.h"
#include "ledger/log_reader.h"

namespace stillwatch::gateway {
namespace {

constexpr const char* kErasures = "/v1/admin/ledger/erasures";
constexpr const char* kHolds = "/v1/admin/ledger/holds";

class LedgerDeskTest : public ServiceTest {
 protected:
  std::string ledger_settings(const std::string& more = "") const {
    return "[ledger]\nfolder = \"" + folder_ + "/ledger\"\nhost = \"audit.example\"\nanchor_seconds = 1\n" + more;
  }
  static std::string field_of(const std::string& json, const std::string& name) {
    const std::string key = "\"" + name + "\":";
    const std::size_t at = json.find(key);
    if (at == std::string::npos) return {};
    std::string rest = json.substr(at + key.size());
    if (rest.starts_with("\"")) return rest.substr(1, rest.find('"', 1) - 1);
    return rest.substr(0, rest.find_first_of(",}"));
  }
  /// The last answer about an order that was carried out.
  std::string erase(const std::string& body) {
    const auto placed = admin("POST", kErasures, body);
    EXPECT_EQ(placed.status, 202) << placed.body;
    const std::string order = field_of(placed.body, "order");
    for (int i = 0; i < 6'000; ++i) {
      const auto told = admin("GET", std::string(kErasures) + "?order=" + order);
      if (field_of(told.body, "state") == "done" || told.status != 200) return told.body;
      EXPECT_NE(field_of(told.body, "state"), "failed") << told.body;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return "never done";
  }
  std::vector<ledger::Leaf> leaves() const {
    std::vector<ledger::Leaf> out;
    const auto logs = audit::logs_of_shard(folder_ + "/ledger", "s00");
    for (const audit::ShardLog& log : *logs) {
      const auto reader = ledger::LogReader::open(log.folder);
      const auto status = reader->scan(0, reader->size(), [&](std::uint64_t, std::string_view bytes) {
        out.push_back(*ledger::read_leaf(bytes));
        return true;
      });
      EXPECT_TRUE(status);
    }
    return out;
  }
  template <class L>
  std::vector<L> leaves_of() const {
    std::vector<L> out;
    for (const ledger::Leaf& leaf : leaves()) {
      if (const auto* one = std::get_if<L>(&leaf)) out.push_back(*one);
    }
    return out;
  }
  bool is_in_a_file(const std::string& text) const {
    for (const char* part : {"/state", "/log"}) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ + part)) {
        if (!entry.is_regular_file()) continue;
        const std::string path = entry.path();
        std::string bytes;
        if (path.ends_with(".zst")) {
          auto source = intake::LineSource::open(path);
          intake::LineBlock block;
          for (auto more = source->next(block); more && *more; more = source->next(block)) {
            for (const auto& line : block.lines) bytes += block.text(line);
          }
        } else {
          bytes = base::read_file(path, 1U << 30).value_or("");
        }
        if (bytes.find(text) != std::string::npos) return true;
      }
    }
    return false;
  }
};

TEST_F(LedgerDeskTest, ACustomerIsErasedUnderTraffic) {
  const ModelServer model;
  start({model.url()}, ledger_settings("vault = true\n"));
  std::string record;
  for (int i = 0; i < 5; ++i) record = field(chat("acct_1"), "stillwatch-leaf");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(chat("acct_2").status, 200);
  std::atomic<bool> is_done{false};
  std::atomic<int> served{0};
  std::thread traffic([&] {
    while (!is_done) served += chat("acct_2").status == 200 ? 1 : 0;
  });
  const std::string told = erase(R"({"account":"acct_1","reason":"request of 3 May","who":"J. Doe"})");
  const int served_then = served;
  is_done = true;
  traffic.join();
  EXPECT_EQ(field_of(told, "complete"), "true") << told;
  EXPECT_EQ(field_of(told, "keys"), "2") << told;
  EXPECT_EQ(field_of(told, "records"), "5") << told;
  EXPECT_EQ(field_of(told, "lines"), "5") << told;
  EXPECT_NE(told.find("engine: nothing of what went"), std::string::npos) << told;
  EXPECT_GT(served_then, 0);
  // Again: nothing is left to destroy, and that is no error.
  EXPECT_EQ(field_of(erase(R"({"account":"acct_1","reason":"again"})"), "keys"), "0");
  // One record of the other.
  const std::string other = field(chat("acct_2"), "stillwatch-leaf");
  std::string found;
  for (int i = 0; i < 1'000 && found.empty(); ++i) {
    const auto wrong = admin("POST", kErasures, R"({"account":"acct_3","record":")" + other + R"(","reason":"r"})");
    EXPECT_EQ(wrong.status, 400);
    if (wrong.body.find("another account") != std::string::npos) found = wrong.body;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(found.empty()) << "a wrong name would pass its holds by";
  const std::string one = erase(R"({"account":"acct_2","record":")" + other + R"(","reason":"r"})");
  EXPECT_EQ(field_of(one, "records"), "1") << one;
  EXPECT_EQ(field_of(one, "lines"), "1") << one;
  EXPECT_NE(admin("GET", kErasures).body.find(R"("erasures":[{)"), std::string::npos);
  ASSERT_TRUE(service_->stop());
  service_.reset();
  EXPECT_FALSE(is_in_a_file("acct_1"));
  EXPECT_FALSE(is_in_a_file(other));
  EXPECT_TRUE(is_in_a_file("acct_2"));
  const auto erased = leaves_of<ledger::EraseLeaf>();
  ASSERT_EQ(erased.size(), 3U);
  EXPECT_EQ(erased[0].why, "request");
  EXPECT_EQ(erased[0].by, "J. Doe");
  EXPECT_EQ(erased[0].records, 5U);
  EXPECT_EQ(leaves_of<ledger::GapLeaf>().size(), 0U);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/ledger/orders"));
  // It goes on from a snapshot.
  auto again = Service::start(folder_ + "/gateway.toml");
  ASSERT_TRUE(again) << again.error().message;
  service_ = std::move(*again);
  EXPECT_EQ(chat("acct_1").status, 200);
}

TEST_F(LedgerDeskTest, AHoldGoesBeforeAnErasureUntilItIsReleased) {
  const ModelServer model;
  start({model.url()}, ledger_settings("vault = true\n"));
  const std::string record = field(chat("acct_1"), "stillwatch-leaf");
  const auto placed =
      admin("POST", kHolds, R"({"name":"h1","case":"matter 7","accounts":["acct_1"],"why":"letter","who":"counsel"})");
  ASSERT_EQ(placed.status, 200) << placed.body;
  EXPECT_EQ(admin("POST", kHolds, R"({"name":"h1","case":"c","why":"w"})").status, 400) << "the name is taken";
  const std::string blocked = erase(R"({"account":"acct_1","reason":"request"})");
  EXPECT_EQ(field_of(blocked, "complete"), "false") << blocked;
  EXPECT_EQ(field_of(blocked, "keys"), "0") << blocked;
  EXPECT_EQ(field_of(blocked, "lines_held"), "1") << blocked;
  EXPECT_NE(blocked.find(R"("held_by":["h1"])"), std::string::npos) << blocked;
  EXPECT_NE(admin("GET", kHolds).body.find(R"("name":"h1")"), std::string::npos);
  const std::string release = std::string(kHolds) + "/release";
  EXPECT_EQ(admin("POST", release, R"({"name":"h2","why":"settled"})").status, 400);
  EXPECT_EQ(admin("POST", release, R"({"name":"h1","why":"settled"})").status, 200);
  // Of one record: its customer's day.
  std::string day_of;
  for (int i = 0; i < 1'000 && day_of.empty(); ++i) {
    const auto held = admin("POST", kHolds,
                            R"({"name":"h3","case":"c","accounts":["acct_1"],"record":")" + record + R"(","why":"w"})");
    if (held.status == 200) day_of = field_of(held.body, "from");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(day_of.size(), 10U);
  EXPECT_EQ(field_of(erase(R"({"account":"acct_1","record":")" + record + R"(","reason":"r"})"), "complete"), "false");
  EXPECT_EQ(admin("POST", release, R"({"name":"h3","why":"settled"})").status, 200);
  EXPECT_EQ(field_of(erase(R"({"account":"acct_1","reason":"request"})"), "complete"), "true");
  ASSERT_TRUE(service_->stop());
  service_.reset();
  EXPECT_FALSE(is_in_a_file("acct_1"));
  const auto holds = leaves_of<ledger::HoldLeaf>();
  ASSERT_EQ(holds.size(), 4U);
  EXPECT_TRUE(holds[0].is_on);
  EXPECT_EQ(holds[0].by, "counsel");
  EXPECT_FALSE(holds[1].is_on);
}

TEST_F(LedgerDeskTest, WhatIsNoOrderIsRefused) {
  const ModelServer model;
  ASSERT_TRUE(base::write_file(folder_ + "/token", "secret-token\n"));
  server_more_ = "admin_token_file = \"" + folder_ + "/token\"\n";
  start({model.url()}, ledger_settings());
  EXPECT_EQ(admin("POST", kErasures, R"({"account":"acct_1","reason":"r"})").status, 401);
  http::Fields token;
  token.set("authorization", "Bearer secret-token");
  const auto ask = [&](const char* method, const std::string& path, const std::string& body) {
    return fetch(service_->admin_port(), method, path, body, token).status;
  };
  for (const char* body :
       {"{}", "[", R"({"account":"acct_1"})", R"({"account":"","reason":"r"})",
        R"({"account":"acct_1","reason":"a\u0007b"})", R"({"account":"a","record":"x","reason":"r"})",
        R"({"account":"a","record":"AAAAAAAAAAAAAAAAAAAAAA","reason":"r"})"}) {
    EXPECT_EQ(ask("POST", kErasures, body), 400) << body;
  }
  for (const char* body :
       {"{}", R"({"name":"h","case":"c","why":"w","accounts":[]})",
        R"({"name":"h","case":"c","why":"w","accounts":[7]})", R"({"name":"h","case":"c","why":"w","from":"May"})",
        R"({"name":"h","case":"c","why":"w","record":"AAAAAAAAAAAAAAAAAAAAAA"})"}) {
    EXPECT_EQ(ask("POST", kHolds, body), 400) << body;
  }
  EXPECT_EQ(ask("DELETE", kHolds, ""), 405);
  EXPECT_EQ(ask("GET", std::string(kErasures) + "?order=nobody", ""), 404);
  EXPECT_EQ(ask("GET", "/v1/admin/ledger/other", ""), 404);
  EXPECT_EQ(ask("GET", kHolds, ""), 200);
}

TEST_F(LedgerDeskTest, AFolderThatCannotBeWrittenIsAGapAndNoFailedStart) {
  const ModelServer model;
  ASSERT_TRUE(base::write_file(folder_ + "/ledger", "in the way"));
  start({model.url()}, ledger_settings());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(chat("acct_1").status, 200);
  const auto alarm = [&] {
    return admin("GET", "/metrics").body.find("stillwatch_alarm_active{alarm=\"ledger\"} 1") != std::string::npos;
  };
  const auto wait_for = [](const auto& holds) {
    for (int i = 0; i < 6'000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(holds());
  };
  wait_for(alarm);
  EXPECT_EQ(admin("POST", kErasures, R"({"account":"acct_1","reason":"r"})").status, 503);
  const auto written = [&] {
    return admin("GET", "/metrics").body.find("query_log_records_total{result=\"written\"} 4") != std::string::npos;
  };
  wait_for(written);
  std::filesystem::remove(folder_ + "/ledger");
  wait_for([&] { return !alarm(); });
  EXPECT_EQ(chat("acct_1").status, 200);
  ASSERT_TRUE(service_->stop());
  service_.reset();
  const auto gaps = leaves_of<ledger::GapLeaf>();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].leaves, 4U);
  EXPECT_EQ(leaves_of<ledger::QueryLeaf>().size(), 1U);
}

TEST_F(LedgerDeskTest, WhoServesNothingWithoutItDoesNotStart) {
  const ModelServer model;
  ASSERT_TRUE(base::write_file(folder_ + "/ledger", "in the way"));
  write_configuration({model.url()}, ledger_settings("on_overflow = \"refuse\"\n"));
  const auto service = Service::start(folder_ + "/gateway.toml");
  ASSERT_FALSE(service);
  EXPECT_NE(service.error().message.find("ledger"), std::string::npos) << service.error().message;
}

}  // namespace
}  // namespace stillwatch::gateway
