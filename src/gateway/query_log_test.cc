#include "gateway/query_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "gateway/observer_fixture.h"
#include "intake/line_source.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;
constexpr std::int64_t kStart = test::kStart;

QueryLogOptions log_options(const Folder& folder) {
  QueryLogOptions options;
  options.folder = folder.path + "/log";
  return options;
}

struct Content {
  std::vector<std::string> lines, cut;  // cut: the beginning of a line whose end is not there
  bool is_damaged = false;
};

Content read(const std::string& path) {
  Content out;
  auto source = intake::LineSource::open(path);
  if (!source) throw std::runtime_error(source.error().message);
  intake::LineBlock block;
  while (*source->next(block)) {
    for (const auto& line : block.lines)
      (line.kind == intake::LineBlock::Kind::whole ? out.lines : out.cut).emplace_back(block.text(line));
  }
  out.is_damaged = source->problem().has_value();
  return out;
}

std::vector<std::string> read_all(const QueryLog& log) {
  std::vector<std::string> out;
  for (const std::string& file : log.files()) {
    const Content content = read(log.path_of(file));
    EXPECT_TRUE(content.cut.empty() && !content.is_damaged) << file;
    out.insert(out.end(), content.lines.begin(), content.lines.end());
  }
  return out;
}

std::string line_of(int number) { return "{\"number\":" + std::to_string(number) + ",\"text\":\"some text\"}"; }

QueryLog opened(const QueryLogOptions& options) {
  auto log = QueryLog::open(options);
  if (!log) throw std::runtime_error(log.error().message);
  return std::move(*log);
}

TEST(QueryLog, LinesComeBackInOrderAcrossFilesAndRuns) {
  const Folder folder;
  QueryLogOptions options = log_options(folder);
  options.rotate_bytes = 2'000;
  std::vector<std::string> expected;
  int number = 0;
  for (int run = 0; run < 3; ++run) {
    QueryLog log = opened(options);
    EXPECT_EQ(read_all(log), expected);
    EXPECT_TRUE(log.position().file.empty());
    for (int i = 0; i < 300; ++i, ++number) {
      log.append(line_of(number), kStart + number * base::kSecondUs);
      expected.push_back(line_of(number));
      if (i % 10 == 9) {
        ASSERT_TRUE(log.flush());
      }
    }
    ASSERT_TRUE(log.flush());
    EXPECT_EQ(log.position().next.line, read(log.path_of(log.position().file)).lines.size() + 1);
    EXPECT_TRUE(std::is_sorted(log.files().begin(), log.files().end()));
    EXPECT_FALSE(QueryLog::open(options)) << "one process a folder";
  }
  QueryLog log = opened(options);
  EXPECT_EQ(read_all(log), expected);
  EXPECT_GT(log.files().size(), 5U);
  EXPECT_EQ(log.files()[0].substr(0, 29), "queries-20260401T000000-0000.");
}

TEST(QueryLog, AgeAndJumpsOfTheClockBeginAFile) {
  const Folder folder;
  QueryLogOptions options = log_options(folder);
  options.rotate_us = base::kHourUs;
  QueryLog log = opened(options);
  const auto add = [&](std::int64_t time_us) {
    if (log.lines_waiting() > 0 && log.wants_new_file(time_us)) {
      ASSERT_TRUE(log.flush());
    }
    log.append(line_of(0), time_us);
  };
  add(kStart), add(kStart + base::kMinuteUs);
  EXPECT_EQ(log.files().size(), 0U) << "nothing is written before a flush";
  add(kStart + base::kHourUs);
  add(kStart + 200 * base::kDayUs);
  add(kStart + 100 * base::kDayUs);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(log.files().size(), 3U);
  log.rotate();
  add(kStart);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(log.files().size(), 4U);
  EXPECT_TRUE(std::is_sorted(log.files().begin(), log.files().end())) << "names never go back";
}

// A crash can leave any beginning of the last frame. Whoever reads the file as it is gets every line before it; opened
// again, it ends with whole lines.
TEST(QueryLog, AFileCutAnywhereGivesItsWholeFrames) {
  const Folder folder;
  const QueryLogOptions options = log_options(folder);
  std::string name, bytes;
  std::vector<std::size_t> ends, counts;
  {
    QueryLog log = opened(options);
    for (int i = 0; i < 60; ++i) {
      log.append(line_of(i), kStart + i);
      if (i % 20 != 19) continue;
      ASSERT_TRUE(log.flush());
      ends.push_back(std::filesystem::file_size(log.path_of(log.files().back())));
      counts.push_back(static_cast<std::size_t>(i) + 1);
    }
    name = "log/" + log.files().back();
    bytes = folder.read(name);
  }
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    // Around the ends of frames every byte, elsewhere some.
    const bool is_near =
        std::any_of(ends.begin(), ends.end(), [&](std::size_t end) { return size + 3 > end && size < end + 12; });
    if (!is_near && size % 16 != 0) continue;
    folder.write(name, bytes.substr(0, size));
    std::size_t whole = 0, lines = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i] <= size) whole = ends[i], lines = counts[i];
    }
    if (size > 0) {
      const Content as_it_is = read(folder.path + "/" + name);
      EXPECT_GE(as_it_is.lines.size(), lines) << size;
      if (size > 8) {
        EXPECT_EQ(as_it_is.is_damaged, whole != size) << size;
      }
    }
    QueryLog log = opened(options);
    EXPECT_EQ(read_all(log).size(), lines) << size;
    EXPECT_EQ(log.counters().frames_cut, whole == size ? 0U : 1U);
    EXPECT_EQ(log.files().size(), lines == 0 ? 0U : 1U) << "an empty file is removed";
  }
}

// In a child: a limit on file sizes is the process's, and so is the signal that tells of it.
TEST(QueryLog, WhenNothingCanBeWrittenLinesAreCountedAndTheFileStaysWhole) {
  const Folder folder;
  const QueryLogOptions options = log_options(folder);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto is = [](bool right, int code) {
      if (!right) ::_exit(code);
    };
    std::signal(SIGXFSZ, SIG_IGN);
    QueryLog log = opened(options);
    base::Random random(1);
    const auto add = [&](int count) {
      for (int i = 0; i < count; ++i) log.append("{\"noise\":\"" + test::words(random, 40) + "\"}", kStart + i);
    };
    add(100);
    is(log.flush().has_value(), 1);
    const auto size = std::filesystem::file_size(log.path_of(log.files().back()));
    rlimit limit{size + 100, RLIM_INFINITY};
    is(::setrlimit(RLIMIT_FSIZE, &limit) == 0, 2);
    for (int i = 0; i < 3; ++i) {
      add(50);
      const auto status = log.flush();
      is(!status && status.error().fault == base::Fault::environment, 3);
      is(log.lines_waiting() == 0, 4);
    }
    is(log.counters().lines_lost == 150 && log.counters().failures == 3, 5);
    is(std::filesystem::file_size(log.path_of(log.files().back())) == size, 6);
    limit.rlim_cur = RLIM_INFINITY;
    is(::setrlimit(RLIMIT_FSIZE, &limit) == 0, 7);
    add(10);
    is(log.flush().has_value(), 8);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  QueryLog log = opened(options);
  EXPECT_EQ(log.counters().frames_cut, 0U);
  EXPECT_EQ(read_all(log).size(), 110U);
}

TEST(QueryLog, ThePlaceIsKnownWhileNoFileCanBeOpened) {
  const Folder folder;
  const QueryLogOptions options = log_options(folder);
  QueryLog log = opened(options);
  log.append(line_of(0), kStart);
  ASSERT_TRUE(log.flush());
  const LogPosition before = log.position();
  log.rotate();
  std::filesystem::rename(options.folder, options.folder + "-away");
  log.append(line_of(1), kStart + 1);
  EXPECT_FALSE(log.flush());
  EXPECT_EQ(log.position(), before);
  std::filesystem::rename(options.folder + "-away", options.folder);
  log.append(line_of(2), kStart + 2);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(read_all(log), (std::vector<std::string>{line_of(0), line_of(2)}));
  EXPECT_NE(log.position().file, before.file);
}

TEST(QueryLog, OldFilesGoOnlyWhenAskedAndNotNeeded) {
  const Folder folder;
  QueryLogOptions options = log_options(folder);
  options.rotate_us = base::kHourUs;
  const auto fill = [&](QueryLog& log, int from) {
    for (int i = from; i < from + 10; ++i) {
      log.append(line_of(i), kStart + i * base::kHourUs);
      ASSERT_TRUE(log.flush());
    }
  };
  {
    QueryLog log = opened(options);
    log.keep_from("z");
    fill(log, 0);
    EXPECT_EQ(log.files().size(), 10U) << "never by itself";
  }
  options.keep_us = 5 * base::kHourUs;
  {
    QueryLog log = opened(options);
    fill(log, 10);
    EXPECT_EQ(log.files().size(), 20U) << "not before it is known what a recovery needs";
    log.keep_from(log.files()[8]);
    fill(log, 20);
    EXPECT_EQ(log.counters().files_deleted, 8U);
  }
  options.keep_us = 0;
  options.keep_bytes = 1;
  QueryLog log = opened(options);
  log.keep_from("z");
  log.append(line_of(1), kStart + base::kDayUs * 9);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(log.files().size(), 1U) << "the one being written stays";
}

}  // namespace
}  // namespace stillwatch::gateway
