// What a record costs whoever gives it (the gateway's observer, a replay), and the feed's thread. Beside it the cost of
// the copies alone that giving needs.
#include <benchmark/benchmark.h>

#include "audit/feed_fixture.h"
#include "audit/leaf_maker.h"

namespace stillwatch::audit {
namespace {

constexpr std::size_t kBatch = 256;  // lines between two flushes of the query log, at 500 a second

/// As the observer makes one: texts copied out of the line that was parsed.
Record observed(int number, const std::string& line) {
  Record record = test::record_number(number);
  record.id = "req_0123456789abcdefghjkmg";
  record.line = line;
  return record;
}

/// A fingerprint's line has some 700 bytes.
std::string line_of(int number) { return test::record_number(number).line + std::string(650, 'x'); }

void copies_alone(benchmark::State& state) {
  const std::string line = line_of(1);
  std::vector<Record> records;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBatch; ++i) records.push_back(observed(static_cast<int>(i), line));
    benchmark::DoNotOptimize(records.data());
    records.clear();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kBatch * state.iterations()));
}
BENCHMARK(copies_alone);

/// On the thread of the one who gives; the feed's thread works meanwhile.
void record_given(benchmark::State& state) {
  const test::Folder folder;
  FeedOptions options = test::options_in(folder.path);
  options.queue_count_max = 1U << 20;
  options.queue_bytes_max = std::size_t{4} << 30;
  auto feed = test::open_feed(std::move(options));
  const std::string line = line_of(1);
  std::vector<Record> records;
  std::size_t given = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBatch; ++i) records.push_back(observed(static_cast<int>(i), line));
    feed->try_give(records);
    given += kBatch;
    if (given % (kBatch * 64) != 0) continue;
    state.PauseTiming();  // so that the queue never fills
    (void)feed->settle(60'000);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kBatch * state.iterations()));
  state.counters["overflowed"] = static_cast<double>(feed->counters().overflowed);
  (void)feed->stop();
}
BENCHMARK(record_given);

/// The feed's thread: names, two HMACs, the leaf's bytes.
void leaf_made(benchmark::State& state) {
  const test::Folder folder;
  auto feed = test::open_feed(test::options_in(folder.path));
  LeafMaker maker(feed->keys(), nullptr, state.range(0) != 0);
  std::vector<Record> records;
  for (int i = 0; i < 1'000; ++i) records.push_back(observed(i, line_of(i)));
  std::string leaf;
  std::size_t at = 0;
  for (auto _ : state) {
    if (!maker.make(records[at], leaf)) state.SkipWithError("no leaf");
    at = at + 1 == records.size() ? 0 : at + 1;
    benchmark::DoNotOptimize(leaf.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(leaf.size());
}
BENCHMARK(leaf_made)->Arg(0)->Arg(1)->ArgName("derives_id");

/// All the way to the disk, signed at the end.
void records_to_disk(benchmark::State& state) {
  const test::Folder folder;
  auto feed = test::open_feed(test::options_in(folder.path));
  const std::string line = line_of(1);
  for (auto _ : state) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < 50'000; ++i) records.push_back(observed(static_cast<int>(i), line));
    feed->give(records);
    (void)feed->settle(60'000);
  }
  state.SetItemsProcessed(50'000 * state.iterations());
  (void)feed->stop();
}
BENCHMARK(records_to_disk)->UseRealTime();

}  // namespace
}  // namespace stillwatch::audit
