#include "intake/log_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include <fmt/format.h>

#include "intake/log_fixture.h"
#include "intake/parser_fixture.h"

namespace stillwatch::intake {
namespace {

using test::bytes_of, test::Folder, test::record, test::kStartUs;

std::string zstd_of(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}
std::string gzip_of(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0'), in = bytes;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Records a second apart, shuffled within `late_s`, with some lines that are refused.
std::vector<std::string> shuffled_lines(int count, int late_s, std::uint64_t seed, int first_number = 0) {
  std::mt19937_64 random(seed);
  std::vector<std::pair<int, std::string>> lines;
  for (int i = 0; i < count; ++i) {
    const int number = first_number + i;
    std::string line = record(number, kStartUs + i * base::kSecondUs);
    if (random() % 11 == 0)
      line = "{\"account\":\"a3\",\"time\":\"" + base::format_time(kStartUs + i * base::kSecondUs) + "\",broken\n";
    if (random() % 37 == 0) line = "garbage\n";
    if (random() % 23 == 0) line = record(number - 1, kStartUs + i * base::kSecondUs);             // a duplicate id
    if (random() % 41 == 0) line = record(number, kStartUs + (i - 3 * late_s) * base::kSecondUs);  // too late
    lines.emplace_back(i + static_cast<int>(random() % static_cast<unsigned>(late_s)), line);
  }
  std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (auto& [_, line] : lines) out.push_back(line);
  return out;
}
std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line;
  return out;
}

struct Outcome {
  std::vector<std::string> queries;  // as bytes
  std::vector<std::int64_t> times;
  std::vector<std::string> rejects;
  IntakeCounters counters;
  std::vector<base::Error> problems;
};

struct Reading {
  crypto::KeyedHash keyed_hash = test::fixed_hash();
  Identities identities;
  std::vector<std::string> rejects;
  std::unique_ptr<LogReader> reader;

  explicit Reading(const std::vector<std::string>& paths, const LogReaderOptions& options = {}) {
    auto opened = LogReader::open(paths, options, keyed_hash, identities, [this](const Reject& reject) {
      rejects.push_back(fmt::format("{}:{} {} {}", std::filesystem::path(reject.file).filename().string(), reject.line,
                                    name(reject.reason), reject.field));
    });
    if (!opened) throw std::runtime_error(opened.error().message);
    reader = std::move(*opened);
  }
  /// Up to `calls` calls of next().
  bool read(Outcome& run, int calls = -1) {
    std::vector<event::Query> batch;
    bool more = true;
    while (more && calls-- != 0) {
      batch.clear();
      auto result = reader->next(batch);
      if (!result) throw std::runtime_error(result.error().message);
      more = *result;
      for (const event::Query& query : batch) {
        run.queries.push_back(bytes_of(query));
        run.times.push_back(query.time_us);
      }
    }
    run.rejects.insert(run.rejects.end(), rejects.begin(), rejects.end());
    rejects.clear();
    run.counters = reader->counters();
    run.problems = reader->problems();
    return more;
  }
};

Outcome read_all(const std::vector<std::string>& paths, const LogReaderOptions& options = {}) {
  Reading reading(paths, options);
  Outcome run;
  reading.read(run);
  return run;
}

LogReaderOptions small_options() {
  LogReaderOptions options;
  options.block_bytes = 3000;
  options.lateness_us = 60 * base::kSecondUs;
  return options;
}

TEST(LogReader, DeliversInTimeOrderFromAnyCompression) {
  const Folder folder;
  const std::string log = joined(shuffled_lines(4000, 30, 1));
  const Outcome plain = read_all({folder.write("a.ndjson", log)}, small_options());
  EXPECT_TRUE(std::is_sorted(plain.times.begin(), plain.times.end()));
  EXPECT_GT(plain.counters.accepted, 3000U);
  EXPECT_GT(plain.counters.late(), 50U);
  EXPECT_GT(plain.counters.duplicates(), 50U);
  EXPECT_EQ(plain.counters.lines, 4000U);
  EXPECT_EQ(plain.counters.rejected, plain.rejects.size());
  for (const std::string& packed :
       {zstd_of(log), gzip_of(log), zstd_of(log.substr(0, 50'000)) + zstd_of(log.substr(50'000)),
        gzip_of(log.substr(0, 50'000)) + gzip_of(log.substr(50'000))}) {
    EXPECT_EQ(read_all({folder.write("packed", packed)}, small_options()).queries, plain.queries);
  }
}

TEST(LogReader, ThreadsAndBlockSizesMakeNoDifference) {
  const Folder folder;
  const std::vector<std::string> paths{folder.write("a", joined(shuffled_lines(3000, 30, 1))),
                                       folder.write("b", joined(shuffled_lines(2000, 30, 2, 5000)))};
  const Outcome expected = read_all(paths, small_options());
  for (const unsigned threads : {1U, 2U, 4U}) {
    for (const std::size_t block_bytes : {std::size_t{500}, std::size_t{20'000}, std::size_t{1} << 20}) {
      LogReaderOptions options = small_options();
      options.threads = threads;
      options.block_bytes = block_bytes;
      const Outcome run = read_all(paths, options);
      EXPECT_EQ(run.queries, expected.queries) << threads << " " << block_bytes;
      EXPECT_EQ(run.rejects, expected.rejects);
    }
  }
}

TEST(LogReader, DigestsAreThoseOfTheLines) {
  const Folder folder;
  const auto lines = shuffled_lines(3'000, 100, 5);
  const std::string path = folder.write("log", joined(lines));
  std::multiset<crypto::Sha256Digest> of_lines;
  for (const std::string& line : lines) of_lines.insert(crypto::sha256(line.substr(0, line.size() - 1)));
  std::vector<crypto::Sha256Digest> first;
  for (const unsigned threads : {1U, 3U}) {
    LogReaderOptions options;
    options.has_digests = true;
    options.threads = threads;
    options.block_bytes = 4'096;
    const crypto::KeyedHash keyed_hash = test::fixed_hash();
    Identities identities;
    auto reader = LogReader::open({path}, options, keyed_hash, identities, [](const Reject&) {});
    ASSERT_TRUE(reader);
    std::vector<crypto::Sha256Digest> all, digests;
    std::vector<event::Query> batch;
    for (;;) {
      batch.clear();
      digests.clear();
      const auto more = (*reader)->next(batch, digests);
      ASSERT_TRUE(more);
      if (!*more) break;
      ASSERT_EQ(digests.size(), batch.size());
      for (const auto& digest : digests) ASSERT_TRUE(of_lines.contains(digest));
      all.insert(all.end(), digests.begin(), digests.end());
    }
    EXPECT_GT(all.size(), 2'500U);
    if (first.empty()) first = all;
    EXPECT_EQ(all, first);
  }
}

TEST(LogReader, SeveralFilesReadAsOneSortedFile) {
  const Folder folder;
  std::vector<std::string> first, second, all;
  for (int i = 0; i < 500; ++i) {
    std::string line = record(i, kStartUs + i * base::kSecondUs);
    (i % 3 == 0 ? first : second).push_back(line);
    all.push_back(line);
  }
  EXPECT_EQ(read_all({folder.write("1", joined(first)), folder.write("2", joined(second))}, small_options()).queries,
            read_all({folder.write("all", joined(all))}, small_options()).queries);
  std::vector<std::string> january(all.begin(), all.begin() + 250), february(all.begin() + 250, all.end());
  EXPECT_EQ(
      read_all({folder.write("feb", joined(february)), folder.write("jan", joined(january))}, small_options()).queries,
      read_all({folder / "all"}, small_options()).queries);
}

TEST(LogReader, StopAndResumeGivesTheSameSequence) {
  const Folder folder;
  const std::vector<std::string> paths{folder.write("a", zstd_of(joined(shuffled_lines(9000, 40, 3)))),
                                       folder.write("b", joined(shuffled_lines(7000, 40, 4, 20'000)))};
  for (const unsigned threads : {1U, 3U}) {
    LogReaderOptions options = small_options();
    options.threads = threads;
    const Outcome expected = read_all(paths, options);
    for (int stop_after = 0; stop_after < 9; ++stop_after) {
      Outcome run;
      std::string saved;
      {
        Reading before(paths, options);
        if (stop_after > 0) before.read(run, stop_after);
        saved = before.reader->save();
      }
      Reading after(paths, options);
      const auto restored = after.reader->restore(saved);
      ASSERT_TRUE(restored) << restored.error().message;
      after.read(run);
      EXPECT_EQ(run.queries, expected.queries) << stop_after;
      EXPECT_EQ(run.rejects, expected.rejects) << stop_after;
      EXPECT_EQ(run.counters.lines, expected.counters.lines);
      EXPECT_EQ(run.counters.rejected_by_reason, expected.counters.rejected_by_reason);
      EXPECT_EQ(run.counters.bytes, expected.counters.bytes);
    }
  }
}

TEST(LogReader, ASavedStateIsRefusedWhenDamagedOrForAnotherLog) {
  const Folder folder;
  const std::string path = folder.write("a", joined(shuffled_lines(3000, 20, 3)));
  Reading before({path}, small_options());
  Outcome run;
  before.read(run, 1);
  const std::string saved = before.reader->save();
  for (std::size_t at = 0; at < saved.size(); at += 7) {
    std::string damaged = saved;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    Reading after({path}, small_options());
    EXPECT_FALSE(after.reader->restore(damaged)) << at;
    Reading shorter({path}, small_options());
    EXPECT_FALSE(shorter.reader->restore(saved.substr(0, at)));
  }
  folder.write("a", joined(shuffled_lines(3000, 20, 99)));
  Reading other({path}, small_options());
  const auto restored = other.reader->restore(saved);
  ASSERT_FALSE(restored);
  EXPECT_NE(restored.error().message.find("is not the log"), std::string::npos);
}

TEST(LogReader, ALogCutAtATimeGivesTheSameUpToThatTime) {
  const Folder folder;
  std::vector<std::string> lines;
  std::mt19937_64 random(5);
  std::vector<std::pair<int, int>> order;
  for (int i = 0; i < 1500; ++i) order.emplace_back(i + static_cast<int>(random() % 50), i);
  std::sort(order.begin(), order.end());
  const auto line_of = [&](int i) { return record(i % 100 == 42 ? i - 10 : i, kStartUs + i * base::kSecondUs); };
  std::string whole;
  for (const auto& [_, i] : order) whole += line_of(i);
  const Outcome full = read_all({folder.write("whole", whole)}, small_options());
  for (const int cut : {1, 100, 777, 1200}) {
    std::string part;
    for (const auto& [_, i] : order) part += i <= cut ? line_of(i) : "";
    const Outcome run = read_all({folder.write("part", part)}, small_options());
    const auto count = static_cast<std::size_t>(
        std::upper_bound(full.times.begin(), full.times.end(), kStartUs + cut * base::kSecondUs) - full.times.begin());
    EXPECT_EQ(run.queries, std::vector(full.queries.begin(), full.queries.begin() + static_cast<std::ptrdiff_t>(count)))
        << cut;
  }
}

TEST(LogReader, OneBrokenClockDoesNotSilenceTheRest) {
  const Folder folder;
  std::string log;
  for (int i = 0; i < 100; ++i) log += record(i, kStartUs + i * base::kSecondUs);
  log += record(100, kStartUs + 3650 * base::kDayUs);
  for (int i = 101; i < 200; ++i) log += record(i, kStartUs + i * base::kSecondUs);
  const Outcome run = read_all({folder.write("a", log)}, small_options());
  EXPECT_EQ(run.counters.accepted, 199U);
  EXPECT_EQ(run.rejects, std::vector<std::string>{"a:101 too_early time"});
  // A gap in the log is believed once enough lines agree on it.
  log.clear();
  for (int i = 0; i < 50; ++i) log += record(i, kStartUs + (i < 10 ? 0 : 400 * base::kDayUs) + i * base::kSecondUs);
  EXPECT_EQ(read_all({folder.write("b", log)}, small_options()).counters.accepted, 50 - kJumpConfirmations + 1);
}

TEST(LogReader, AFullReorderBufferMovesTheFrontier) {
  const Folder folder;
  LogReaderOptions options = small_options();
  options.reorder_records_max = 20;
  const std::vector<std::string> lines = shuffled_lines(2000, 30, 8);
  const Outcome run = read_all({folder.write("a", joined(lines))}, options);
  EXPECT_GT(run.counters.reorder_overflows, 0U);
  EXPECT_EQ(run.counters.lines, lines.size());
  EXPECT_TRUE(std::is_sorted(run.times.begin(), run.times.end()));
}

TEST(LogReader, EmptyAndOddFiles) {
  const Folder folder;
  EXPECT_EQ(read_all({folder.write("empty", "")}).counters.lines, 0U);
  EXPECT_EQ(read_all({folder.write("blank", "\n  \n\r\n")}).counters.lines, 0U);
  EXPECT_EQ(read_all({folder.write("empty.zst", zstd_of(""))}).counters.lines, 0U);
  const std::string one = record(1, kStartUs);
  EXPECT_EQ(read_all({folder.write("no_newline", one.substr(0, one.size() - 1))}).counters.accepted, 1U);
  EXPECT_EQ(read_all({folder.write("bom", "\xEF\xBB\xBF" + one)}).counters.accepted, 1U);
  EXPECT_EQ(read_all({folder.write("crlf", one.substr(0, one.size() - 1) + "\r\n")}).counters.accepted, 1U);
}

TEST(LogReader, OverLongLinesAreRefusedAndCountForTheirAccount) {
  const Folder folder;
  for (const std::size_t block_bytes : {std::size_t{1000}, std::size_t{1} << 20}) {
    LogReaderOptions options = small_options();
    options.line_bytes_max = 5000;
    options.block_bytes = block_bytes;
    const std::string long_line = record(1, kStartUs + 1, std::string(300'000, 'x'));
    const Outcome run =
        read_all({folder.write("a", record(0, kStartUs) + long_line + record(2, kStartUs + 2) + long_line)}, options);
    EXPECT_EQ(run.counters.accepted, 2U);
    EXPECT_EQ(run.rejects, (std::vector<std::string>{"a:2 line_too_long ", "a:4 line_too_long "}));
    ASSERT_EQ(run.queries.size(), 4U);
    event::Query refused;
    refused.time_us = kStartUs + 1;
    refused.account = test::fixed_hash()(crypto::Domain::account, "a1");
    refused.flags = event::kFlagRejected;
    refused.line_bytes = static_cast<std::uint32_t>(long_line.size() - 1);
    EXPECT_EQ(run.queries[1], bytes_of(refused));
  }
}

TEST(LogReader, TruncatedAndDamagedStreamsGiveTheLinesBefore) {
  const Folder folder;
  std::string log;
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i)
    log += record(i, kStartUs + i * base::kSecondUs, std::to_string(random()) + std::to_string(random()));
  for (const std::string& packed : {zstd_of(log), gzip_of(log)}) {
    const Outcome cut = read_all({folder.write("cut", packed.substr(0, packed.size() * 2 / 3))});
    EXPECT_GT(cut.counters.accepted, 500U);
    EXPECT_LT(cut.counters.accepted, 3000U);
    ASSERT_EQ(cut.problems.size(), 1U);
    EXPECT_EQ(cut.problems[0].fault, base::Fault::input);
    EXPECT_NE(cut.problems[0].message.find("ends early"), std::string::npos) << cut.problems[0].message;
    std::string damaged = packed;
    for (std::size_t i = 0; i < 64; ++i) damaged[damaged.size() / 2 + i] = static_cast<char>(random());
    const Outcome broken = read_all({folder.write("broken", damaged)});
    ASSERT_EQ(broken.problems.size(), 1U);
    EXPECT_LT(broken.counters.accepted, 3000U);
  }
}

TEST(LogReader, ABombIsRefused) {
  const Folder folder;
  std::string bytes(200U << 20, 'x');
  for (std::size_t at = 0; at < bytes.size(); at += 100'000) bytes[at] = '\n';
  const Outcome run = read_all({folder.write("bomb", zstd_of(bytes))});
  ASSERT_EQ(run.problems.size(), 1U);
  EXPECT_NE(run.problems[0].message.find("bomb"), std::string::npos);
}

TEST(LogReader, UnreadableLogsAreEnvironmentErrors) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  Identities identities;
  for (const std::string& path : {folder / "absent", folder.path()}) {
    const auto opened = LogReader::open({path}, {}, keyed_hash, identities, {});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().fault, base::Fault::environment);
    EXPECT_NE(opened.error().message.find(path), std::string::npos);
  }
}

}  // namespace
}  // namespace stillwatch::intake
