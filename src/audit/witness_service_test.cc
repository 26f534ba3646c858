// The witness over HTTP: statuses and bodies, restarts, one process a folder, and what must never be answered.
#include "audit/witness_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "audit/witness_fixture.h"
#include "ledger/witness.h"

namespace stillwatch::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class witness_service : public ::testing::Test {
 protected:
  witness_service() {
    log_.grow(70);
    start();
  }
  void start() { service_ = start_witness(folder_ / "w", "witness.example/w1", log_.policy(), clock_.clock()); }
  http::FetchAnswer fetch(const std::string& method, const std::string& target, std::string body = "") const {
    http::FetchRequest request;
    request.url = url_of(*service_) + target;
    request.method = method;
    request.body = std::move(body);
    auto answer = http::fetch_blocking(std::move(request));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? *answer : http::FetchAnswer{};
  }
  http::FetchAnswer submit(std::string body) const { return fetch("POST", "/add-checkpoint", std::move(body)); }
  std::string shown_target() const { return "/" + ledger::origin_hex(log_.origin()) + "/checkpoint"; }

  ScratchFolder folder_;
  TestClock clock_;
  ledger::SmallLog log_{"log.example/a", 1};
  std::unique_ptr<WitnessService> service_;
};

TEST_F(witness_service, answers_each_status_of_the_specification) {
  const http::FetchAnswer good = submit(log_.request(0, 5));
  EXPECT_EQ(good.status, 200);
  EXPECT_THAT(good.body, StartsWith("\xe2\x80\x94 witness.example/w1 "));
  const auto lines = tlog::parse_signature_lines(good.body);
  ASSERT_TRUE(lines && lines->size() == 1);
  const auto key = tlog::VerifierKey::parse(service_->vkey());
  EXPECT_EQ(tlog::verify_cosignature(*key, tlog::parse_note(log_.note(5))->text, lines->front()),
            static_cast<std::uint64_t>(kStartMs / 1'000));

  EXPECT_EQ(submit("no request").status, 400);
  ledger::SmallLog impostor("log.example/a", 2), unknown("log.example/b", 3), forked("log.example/a", 1);
  impostor.grow(9);
  unknown.grow(9);
  forked.grow(9, 3);
  EXPECT_EQ(submit(impostor.request(5, 9)).status, 403);
  EXPECT_EQ(submit(unknown.request(0, 9)).status, 404);
  const http::FetchAnswer conflict = submit(log_.request(0, 9));
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body, "5\n");
  EXPECT_EQ(conflict.fields.find("content-type"), "text/x.tlog.size");
  EXPECT_EQ(submit(forked.request(5, 9)).status, 422);

  const WitnessServiceCounters& counters = service_->counters();
  EXPECT_EQ(counters.cosigned, 1U);
  EXPECT_EQ(counters.malformed, 1U);
  EXPECT_EQ(counters.untrusted, 1U);
  EXPECT_EQ(counters.unknown_origins, 1U);
  EXPECT_EQ(counters.conflicts, 1U);
  EXPECT_EQ(counters.bad_proofs, 1U);
}

TEST_F(witness_service, shows_the_newest_cosigned_checkpoint) {
  EXPECT_EQ(fetch("GET", shown_target()).status, 404);
  ASSERT_EQ(submit(log_.request(0, 5)).status, 200);
  ASSERT_EQ(submit(log_.request(5, 70)).status, 200);
  const http::FetchAnswer shown = fetch("GET", shown_target());
  EXPECT_EQ(shown.status, 200);
  EXPECT_THAT(shown.body, StartsWith("log.example/a\n70\n"));
  EXPECT_EQ(fetch("HEAD", shown_target()).body, "");
}

TEST_F(witness_service, refuses_what_is_not_its_protocol) {
  EXPECT_EQ(fetch("GET", "/add-checkpoint").status, 405);
  EXPECT_EQ(fetch("POST", "/add-checkpoint/").status, 404);
  EXPECT_EQ(fetch("POST", "/").status, 404);
  EXPECT_EQ(fetch("GET", "/../state/key").status, 404);
  EXPECT_EQ(fetch("GET", "/" + std::string(64, 'g') + "/checkpoint").status, 404);
  EXPECT_EQ(fetch("GET", "/healthz").status, 200);
  EXPECT_EQ(submit(std::string(WitnessService::kBodyBytesMax + 1, 'x')).status, 413);
  EXPECT_EQ(service_->counters().too_large, 1U);
  EXPECT_EQ(service_->counters().cosigned, 0U);
}

TEST_F(witness_service, remembers_after_a_restart_with_the_same_key) {
  ASSERT_EQ(submit(log_.request(0, 5)).status, 200);
  const std::string vkey = service_->vkey();
  service_.reset();
  start();
  EXPECT_EQ(service_->vkey(), vkey);
  EXPECT_EQ(submit(log_.request(0, 9)).body, "5\n");
  EXPECT_EQ(submit(log_.request(5, 9)).status, 200);
}

TEST_F(witness_service, a_half_written_file_of_a_crash_changes_nothing) {
  ASSERT_EQ(submit(log_.request(0, 5)).status, 200);
  service_.reset();
  const std::string stored = folder_ / "w/state/logs/" + ledger::origin_hex(log_.origin());
  ASSERT_TRUE(base::write_file(stored + ".partial", "log.example/a\n9"));
  start();
  EXPECT_EQ(submit(log_.request(0, 9)).body, "5\n");
}

TEST_F(witness_service, a_damaged_state_is_never_signed_over) {
  ASSERT_EQ(submit(log_.request(0, 5)).status, 200);
  service_.reset();
  const std::string stored = folder_ / "w/state/logs/" + ledger::origin_hex(log_.origin());
  std::string bytes = base::read_file(stored, 1U << 20).value();
  bytes[15] = '4';  // "log.example/a\n5\n" made an older size
  ASSERT_TRUE(base::write_file(stored, bytes));
  start();
  EXPECT_EQ(submit(log_.request(4, 9)).status, 500);
  EXPECT_EQ(submit(log_.request(0, 9)).status, 500);
  EXPECT_EQ(service_->counters().storage_failures, 2U);
}

TEST_F(witness_service, gives_no_cosignature_when_the_disk_refuses) {
  ASSERT_EQ(submit(log_.request(0, 5)).status, 200);
  std::filesystem::rename(folder_ / "w/state/logs", folder_ / "w/state/away");
  EXPECT_EQ(submit(log_.request(5, 9)).status, 500);
  std::filesystem::rename(folder_ / "w/state/away", folder_ / "w/state/logs");
  EXPECT_EQ(submit(log_.request(5, 9)).status, 200);
}

TEST_F(witness_service, a_second_process_is_refused_and_a_lost_key_not_replaced) {
  WitnessServiceSettings settings;
  settings.folder = folder_ / "w/state";
  settings.name = "witness.example/w1";
  settings.policy_file = folder_ / "w/policy";
  settings.listen.push_back({"127.0.0.1:0", false});
  EXPECT_FALSE(WitnessService::start(settings));
  ASSERT_EQ(submit(log_.request(0, 5)).status, 200);
  service_.reset();
  settings.name = "witness.example/w2";
  EXPECT_FALSE(WitnessService::start(settings));
  std::filesystem::remove(folder_ / "w/state/key");
  const auto lost = WitnessService::start(settings);
  ASSERT_FALSE(lost);
  EXPECT_THAT(lost.error().message, HasSubstr("put its key back"));
}

TEST_F(witness_service, reloads_its_policy_and_keeps_the_old_one_when_the_new_one_is_bad) {
  ledger::SmallLog second("log.example/b", 2);
  second.grow(9);
  EXPECT_EQ(submit(second.request(0, 9)).status, 404);
  ASSERT_TRUE(base::write_file(folder_ / "w/policy", "log nonsense\n"));
  EXPECT_FALSE(service_->reload());
  EXPECT_EQ(submit(log_.request(0, 5)).status, 200);
  ASSERT_TRUE(base::write_file(folder_ / "w/policy", second.policy()));
  ASSERT_TRUE(service_->reload());
  EXPECT_EQ(submit(second.request(0, 9)).status, 200);
  EXPECT_EQ(submit(log_.request(5, 9)).status, 404);
}

TEST_F(witness_service, many_at_once_get_one_history) {
  std::atomic<int> honest_cosigned{0}, forked_cosigned{0};
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      ledger::SmallLog log("log.example/a", 1);
      log.grow(70, client % 2 == 0 ? ~std::uint64_t{0} : 3);
      std::uint64_t known = 0;
      for (int i = 0; i < 30; ++i) {
        const std::uint64_t to = std::min<std::uint64_t>(70, known + 4);
        const http::FetchAnswer answer = submit(log.request(known, to));
        if (answer.status == 200) {
          if (to > 3) ++(client % 2 == 0 ? honest_cosigned : forked_cosigned);
          known = to;
        } else if (answer.status == 409) {
          known = std::min<std::uint64_t>(70, tlog::parse_witness_size(answer.body).value());
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE((honest_cosigned > 0) != (forked_cosigned > 0));
}

}  // namespace
}  // namespace stillwatch::audit
