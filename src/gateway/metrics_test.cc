#include "gateway/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <thread>

#include "base/files.h"
#include "gateway/metric_families.h"

namespace stillwatch::gateway {
namespace {

using namespace metric;

// The value of a series in the exposition; NaN when it is not there.
double value(const std::string& text, const std::string& series) {
  const std::size_t at = text.find("\n" + series + " ");
  return at == std::string::npos ? std::nan("") : std::stod(text.substr(at + series.size() + 2));
}

TEST(Metrics, SumsTheShards) {
  Metrics metrics(3, {"one", "two"}, 64);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 3; ++i) {
    threads.emplace_back([&metrics, i] {
      Metrics::Shard& shard = metrics.shard(i);
      for (int n = 0; n < 1'000; ++n) {
        shard.count(Refusal::network);
        shard.count(Bytes::response, 10);
        shard.count_remedy(event::Level::restrict, n % 2 == 0);
        shard.count_upstream(1, UpstreamEvent::timeout);
        shard.count_upstream(2, UpstreamEvent::timeout);
        shard.observe(Duration::overhead, 0.001);
      }
      shard.set(Held::streams, 7);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = metrics.exposition();
  EXPECT_EQ(value(text, "stillwatch_refusals_total{reason=\"network\"}"), 3'000);
  EXPECT_EQ(value(text, "stillwatch_refusals_total{reason=\"mtls\"}"), 0);
  EXPECT_EQ(value(text, "stillwatch_bytes_total{direction=\"response\"}"), 30'000);
  EXPECT_EQ(value(text, "stillwatch_remedies_total{remedy=\"restrict\",state=\"dry_run\"}"), 1'500);
  EXPECT_EQ(value(text, "stillwatch_remedies_total{remedy=\"restrict\",state=\"done\"}"), 1'500);
  EXPECT_EQ(value(text, "stillwatch_upstream_events_total{upstream=\"two\",event=\"timeout\"}"), 3'000);
  EXPECT_EQ(value(text, "stillwatch_upstream_events_total{upstream=\"one\",event=\"timeout\"}"), 0);
  EXPECT_EQ(value(text, "stillwatch_streams_in_flight"), 21);
  EXPECT_EQ(value(text, "stillwatch_overhead_seconds_count"), 3'000);
  EXPECT_NEAR(value(text, "stillwatch_overhead_seconds_sum"), 3, 1e-9);
}

// Each label has a slot of its own: counting one never shows in another.
TEST(Metrics, EveryLabelIsCountedUnderItsOwnName) {
  for (const CounterFamily& family : counter_families()) {
    for (std::size_t i = 0; i < family.values.size(); ++i) {
      ASSERT_LT(family.first + i, kSlots);
    }
  }
  Metrics metrics(1, {}, 64);
  for (int i = 0; i < 24; ++i) metrics.shard(0).count(static_cast<Refusal>(i), static_cast<std::uint64_t>(i) + 1);
  for (int i = 0; i < 2; ++i) metrics.shard(0).count(static_cast<Gap>(i), 100 + static_cast<std::uint64_t>(i));
  const std::string text = metrics.exposition();
  EXPECT_EQ(value(text, "stillwatch_refusals_total{reason=\"malformed\"}"), 1);
  EXPECT_EQ(value(text, "stillwatch_refusals_total{reason=\"upstream\"}"), 24);
  EXPECT_EQ(value(text, "stillwatch_gaps_total{reason=\"queue_full\"}"), 100);
  EXPECT_EQ(value(text, "stillwatch_gaps_total{reason=\"log_failed\"}"), 101);
  EXPECT_EQ(value(text, "stillwatch_reloads_total{result=\"refused\"}"), 0);
}

TEST(Metrics, BucketsHoldWhatIsAtMostTheirEnd) {
  for (const double seconds : {-1.0, 0.0, 1e-7, 16e-6, 16.1e-6, 32e-6, 0.001, 1.0, 8.0, 8.4, 8.5, 1e6, std::nan("")}) {
    Metrics metrics(1, {}, 64);
    metrics.shard(0).observe(Duration::request, seconds);
    std::istringstream lines(metrics.exposition());
    int buckets = 0;
    for (std::string line; std::getline(lines, line);) {
      const std::string prefix = "stillwatch_request_seconds_bucket{le=\"";
      if (!line.starts_with(prefix)) continue;
      ++buckets;
      const std::string end = line.substr(prefix.size(), line.find('"', prefix.size()) - prefix.size());
      const double limit = end == "+Inf" ? HUGE_VAL : std::stod(end);
      const double held = std::stod(line.substr(line.rfind(' ')));
      EXPECT_EQ(held, seconds <= limit || std::isnan(seconds) ? 1 : 0) << line << " for " << seconds;
    }
    EXPECT_EQ(buckets, 21);
  }
}

TEST(Metrics, GaugesAndAlarms) {
  Metrics metrics(1, {}, 64);
  metrics.set(Gauge::observer_lag_seconds, 1.5);
  metrics.set_subjects(event::Level::verify, 12);
  metrics.set_alarm(AlarmKind::engine_behind, true);
  const std::string text = metrics.exposition();
  EXPECT_EQ(value(text, "stillwatch_observer_lag_seconds"), 1.5);
  EXPECT_EQ(value(text, "stillwatch_subjects{level=\"verify\"}"), 12);
  EXPECT_EQ(value(text, "stillwatch_alarm_active{alarm=\"engine_behind\"}"), 1);
  EXPECT_EQ(value(text, "stillwatch_alarm_active{alarm=\"verdict_rate\"}"), 0);
}

TEST(Metrics, UpstreamsBeyondTheLimitAreOther) {
  Metrics metrics(1, {"a", "b", "c", "d"}, 2);
  for (std::uint32_t i = 0; i < 4; ++i) metrics.shard(0).count_upstream(i, UpstreamEvent::request);
  const std::string text = metrics.exposition();
  EXPECT_EQ(value(text, "stillwatch_upstream_events_total{upstream=\"a\",event=\"request\"}"), 1);
  EXPECT_EQ(value(text, "stillwatch_upstream_events_total{upstream=\"other\",event=\"request\"}"), 3);
  EXPECT_EQ(text.find("upstream=\"b\""), std::string::npos);
}

TEST(Metrics, ReferenceListsEveryFamilyAndNoOther) {
  const auto page = base::read_file("docs/reference/metrics.md", 1 << 20);
  ASSERT_TRUE(page) << page.error().message;
  std::set<std::string> documented, known;
  std::istringstream lines(*page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `stillwatch_")) continue;
    // | `name` | type | label |
    std::vector<std::string> cells;
    std::istringstream row(line.substr(2));
    for (std::string cell; std::getline(row, cell, '|');) {
      cell.erase(std::remove(cell.begin(), cell.end(), '`'), cell.end());
      cell.erase(0, cell.find_first_not_of(' '));
      cell.erase(cell.find_last_not_of(' ') + 1);
      cells.push_back(cell);
    }
    ASSERT_GE(cells.size(), 4U) << line;
    documented.insert(cells[0] + " " + cells[1] + " " + cells[2]);
  }
  for (const MetricName& metric : metric_names()) known.insert(metric.name + " " + metric.type + " " + metric.label);
  EXPECT_EQ(documented, known);
  // And the exposition has exactly these.
  std::set<std::string> exposed;
  std::istringstream text(Metrics(1, {"one"}, 64).exposition());
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# TYPE ")) exposed.insert(line.substr(7));
  }
  std::set<std::string> listed;
  for (const MetricName& metric : metric_names()) listed.insert(metric.name + " " + metric.type);
  EXPECT_EQ(exposed, listed);
}

}  // namespace
}  // namespace stillwatch::gateway
