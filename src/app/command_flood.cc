// `stillwatch bench flood`: what hostile logs cost, each beside an ordinary log of the same run.
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>
#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "app/flood_log.h"
#include "base/files.h"
#include "base/temporary_folder.h"

extern char** environ;

namespace stillwatch::app {
namespace {

constexpr double kSlowdownMax = 2;  // the promise, by record; by byte where records are long

struct Flags {
  std::uint64_t records = 200'000;
  std::string config;
  std::vector<std::string> only;
  unsigned threads = 1;
  int rounds = 1;
  bool json = false;
};

struct Cost {
  double wall_seconds = 1e18, cpu_seconds = 1e18, peak_mib = 0;
};

struct Measured {
  const Flood* flood = nullptr;
  std::uint64_t records = 0, bytes = 0;
  Cost cost;
  std::map<std::string, std::uint64_t> counters;

  double cpu_us(bool by_byte) const {
    return 1e6 * cost.cpu_seconds / static_cast<double>(by_byte ? std::max<std::uint64_t>(1, bytes) : records);
  }
};

base::Result<Cost> run_replay(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0);
  const auto started = std::chrono::steady_clock::now();
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, "/proc/self/exe", &quiet, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&quiet);
  if (failed != 0) return base::fail(base::Fault::environment, "cannot start a replay of a flood");
  int status = 0;
  rusage usage{};
  while (::wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return base::fail(base::Fault::environment, "the replay of a flood failed; its message is above");
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return Cost{std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count(),
              seconds(usage.ru_utime) + seconds(usage.ru_stime), static_cast<double>(usage.ru_maxrss) / 1024};
}

base::Result<std::map<std::string, std::uint64_t>> counters_of(const std::string& summary_path) {
  STILLWATCH_TRY(text, base::read_file(summary_path, 64U << 20));
  std::map<std::string, std::uint64_t> counters;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(text)["counters"].get_object().get(object) != simdjson::SUCCESS)
    return base::fail(base::Fault::environment, summary_path + " has no counters");
  for (const auto& field : object) {
    std::uint64_t value = 0;
    if (field.value.get_uint64().get(value) == simdjson::SUCCESS && value > 0) counters[std::string(field.key)] = value;
  }
  counters.erase("identities_opened");  // says nothing about a bound
  return counters;
}

base::Result<Measured> measure(const Flood& flood, const Flags& flags, const crypto::KeyedHash& hash,
                               const std::string& folder) {
  Measured measured;
  measured.flood = &flood;
  const std::string log = folder + "/flood.ndjson", out = folder + "/out";
  STILLWATCH_TRY(records, write_flood_log(flood.kind, flags.records, hash, log));
  measured.records = records;
  std::error_code code;
  measured.bytes = std::filesystem::file_size(log, code);
  std::vector<std::string> arguments{"stillwatch",
                                     "replay",
                                     log,
                                     "--out=" + out,
                                     "--secret=" + folder + "/secret",
                                     fmt::format("--threads={}", flags.threads),
                                     "--quiet"};
  if (!flags.config.empty()) arguments.push_back("--config=" + flags.config);
  for (int round = 0; round < flags.rounds; ++round) {
    STILLWATCH_TRY(cost, run_replay(arguments));
    measured.cost.wall_seconds = std::min(measured.cost.wall_seconds, cost.wall_seconds);
    measured.cost.cpu_seconds = std::min(measured.cost.cpu_seconds, cost.cpu_seconds);
    measured.cost.peak_mib = std::max(measured.cost.peak_mib, cost.peak_mib);
  }
  STILLWATCH_TRY(counters, counters_of(out + "/summary.json"));
  measured.counters = std::move(counters);
  std::filesystem::remove_all(out, code);
  std::filesystem::remove(log, code);
  return measured;
}

void print(const Measured& measured, const Measured& ordinary, bool json) {
  const Flood& flood = *measured.flood;
  const auto records = static_cast<double>(measured.records), bytes = static_cast<double>(measured.bytes);
  const double slowdown = measured.cpu_us(flood.by_byte) / ordinary.cpu_us(flood.by_byte);
  std::string counters;
  for (const auto& [name, value] : measured.counters)
    counters += fmt::format("{}{}{}{}{}", counters.empty() ? "" : (json ? "," : "  "), json ? "\"" : "", name,
                            json ? "\":" : " ", value);
  std::string line;
  if (json) {
    line = fmt::format(
        R"({{"flood":"{}","records":{},"bytes":{},"cpu_seconds":{:.3f},"wall_seconds":{:.3f},"peak_mib":{:.0f},)"
        R"("slowdown":{:.2f},"by_byte":{},"counters":{{{}}}}})",
        flood.name, measured.records, measured.bytes, measured.cost.cpu_seconds, measured.cost.wall_seconds,
        measured.cost.peak_mib, slowdown, flood.by_byte, counters);
  } else {
    line = fmt::format("{:<20} {:>9} {:>7.0f} {:>10.0f} {:>8.1f} {:>9.0f} {:>6.2f}{}  {}", flood.name, measured.records,
                       bytes / records, records / measured.cost.cpu_seconds, bytes / 1e6 / measured.cost.cpu_seconds,
                       measured.cost.peak_mib, slowdown, flood.by_byte ? "B" : " ", counters);
  }
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

/// The same secret in every run: the same bytes, and it is known to the flood that has it.
base::Result<crypto::KeyedHash> known_secret(const std::string& path) {
  STILLWATCH_CHECK(base::write_file(path, std::string(64, '7') + "\n"));
  std::error_code code;
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, code);
  STILLWATCH_TRY(secret, crypto::load_or_create_secret(path));
  return crypto::KeyedHash(secret);
}

base::Result<int> bench_flood(const Flags& flags) {
  STILLWATCH_TRY(folder, base::TemporaryFolder::make());
  STILLWATCH_TRY(hash, known_secret(folder / "secret"));
  if (!flags.json) {
    std::printf("%-20s %9s %7s %10s %8s %9s %6s   %s\n", "log", "records", "bytes", "records/s", "MB/s", "peak MiB",
                "slower", "counters (rates by processor time)");
  }
  std::vector<Measured> all;
  bool held = true;
  for (const Flood& flood : floods()) {
    const bool named = std::find(flags.only.begin(), flags.only.end(), flood.name) != flags.only.end();
    if (!flags.only.empty() && !named && flood.kind != FloodKind::ordinary) continue;
    STILLWATCH_TRY(measured, measure(flood, flags, hash, folder.path()));
    all.push_back(std::move(measured));
    print(all.back(), all.front(), flags.json);
    held &= all.back().cpu_us(flood.by_byte) <= kSlowdownMax * all.front().cpu_us(flood.by_byte);
  }
  return held ? 0 : 1;
}

}  // namespace

void add_bench_flood(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = bench.add_subcommand(
      "flood",
      "Hostile logs against an ordinary one: processor time, peak memory, what was shed; code 1 when one is more than "
      "twice as slow\n\nExample:\n  stillwatch bench flood --only=link_tokens\n");
  command->add_option("--records", flags->records, "Lines of each log")
      ->capture_default_str()
      ->check(CLI::Range(1'000, 100'000'000));
  command->add_option("--only", flags->only, "Floods to run, besides the ordinary log");
  command->add_option("--config", flags->config, "Settings for the replays, for example small bounds");
  command->add_option("--threads", flags->threads, "Threads of a replay")->capture_default_str();
  command->add_option("--rounds", flags->rounds, "Rounds; the fastest counts")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command->add_flag("--json", flags->json, "Print JSON, a line a log");
  command->callback([flags, &run] {
    run = [flags] {
      auto code = bench_flood(*flags);
      return code ? *code : report_error(code.error());
    };
  });
}

}  // namespace stillwatch::app
