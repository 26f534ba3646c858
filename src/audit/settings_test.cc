// What the audit log's settings may be.
#include "audit/settings.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "audit/audit_fixture.h"

namespace stillwatch::audit {
namespace {

TEST(audit_settings, that_cannot_work_are_refused_before_anything_is_written) {
  const ScratchFolder folder;
  const TestClock clock;
  const auto refused = [&](auto change) {
    Settings settings = test_settings(folder / "ledger", clock);
    change(settings);
    const auto opened = AuditLog::open(std::move(settings));
    return !opened && opened.error().fault == base::Fault::caller;
  };
  EXPECT_TRUE(refused([](Settings& s) { s.folder = ""; }));
  EXPECT_TRUE(refused([](Settings& s) { s.host = ""; }));
  EXPECT_TRUE(refused([](Settings& s) { s.host = "https://audit.example"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.host = "audit.example/"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.host = "audit example"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.shards = {}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.shards = {"a", "a"}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.shards = {"../a"}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.shards = {"S00"}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.anchor_interval_ms = 1'500; }));
  EXPECT_TRUE(refused([](Settings& s) { s.derivation_key = "short"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.witnesses.interval_ms = 0; }));
  EXPECT_TRUE(refused([](Settings& s) { s.pages.resize(kPagesMax + 1); }));
  EXPECT_FALSE(std::filesystem::exists(folder / "ledger"));
}

}  // namespace
}  // namespace stillwatch::audit
