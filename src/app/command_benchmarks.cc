// `stillwatch bench`: measurements, each beside its limit from the same run.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "app/settings_file.h"
#include "base/files.h"
#include "base/temporary_folder.h"
#include "intake/line_source.h"
#include "intake/log_reader.h"
#include "intake/query_parser.h"
#include "replay/run.h"
#include "sim/simulate.h"
#include "text/fingerprint.h"

namespace stillwatch::app {
namespace {

using Clock = std::chrono::steady_clock;

struct Flags {
  std::string log, accounts, world = "worlds/demo.toml";
  int rounds = 3;
  bool json = false;
};

double seconds_since(Clock::time_point started) {
  return std::chrono::duration<double>(Clock::now() - started).count();
}

/// Every stage reads the same file; the fastest of the rounds counts, since noise only ever slows.
struct Stage {
  const char* name;
  double seconds = 1e18;
  std::uint64_t records = 0;
};

/// All lines of the log, through the same reader, handed to `visit`.
template <class Visit>
base::Result<std::uint64_t> for_each_line(const std::string& log, Visit&& visit) {
  STILLWATCH_TRY(source, intake::LineSource::open(log));
  intake::LineBlock block;
  std::uint64_t lines = 0;
  for (;;) {
    STILLWATCH_TRY(more, source.next(block));
    if (!more) return lines;
    for (const auto& line : block.lines) visit(block.text(line));
    lines += block.lines.size();
  }
}

base::Result<std::uint64_t> parse_only(const std::string& log) {
  intake::FieldCounter counter;
  std::uint64_t checksum = 0;
  STILLWATCH_TRY(lines,
                 for_each_line(log, [&](std::string_view line) { checksum += counter.count_fields_only(line); }));
  // Printed nowhere, but the compiler may not know.
  if (checksum == 0) std::fputs("no fields read\n", stderr);
  return lines;
}

base::Result<std::uint64_t> parse_and_fingerprint(const std::string& log, const crypto::KeyedHash& keyed_hash) {
  auto parser = intake::make_query_parser(keyed_hash, nullptr);
  intake::ParsedLine parsed;
  return for_each_line(log, [&](std::string_view line) {
    parser->parse(line, parsed);
    parser->new_ids().clear();
  });
}

base::Result<std::uint64_t> read_in_order(const std::string& log, const crypto::KeyedHash& keyed_hash,
                                          unsigned threads) {
  intake::Identities identities;
  intake::LogReaderOptions options;
  options.threads = threads;
  STILLWATCH_TRY(reader, intake::LogReader::open({log}, options, keyed_hash, identities, [](const intake::Reject&) {}));
  std::vector<event::Query> batch;
  std::uint64_t records = 0;
  for (;;) {
    batch.clear();
    STILLWATCH_TRY(more, reader->next(batch));
    if (!more) return records;
    records += batch.size();
  }
}

base::Result<std::uint64_t> full_path(const Flags& flags, const std::string& folder, unsigned threads) {
  replay::Options options;
  options.logs = {flags.log};
  options.accounts = flags.accounts;
  options.out = folder + "/out";
  options.secret = folder + "/secret";
  options.threads = threads;
  const Settings settings;
  options.engine = settings.engine;
  options.lateness_us = settings.lateness_us;
  options.line_bytes_max = settings.line_bytes_max;
  options.policy_hash = policy_hash(settings);
  STILLWATCH_TRY(outcome, replay::run(options));
  return outcome.records;
}

/// Without --log: a small world, written plain, so that decompression is not measured.
base::Status make_log(Flags& flags, const std::string& folder) {
  if (!flags.log.empty()) return {};
  STILLWATCH_TRY(world, sim::load_world(flags.world, {}));
  sim::SimulateOptions options;
  options.world = std::move(world);
  options.out = folder;
  options.threads = sim::machine_threads();
  flags.log = folder + "/queries.ndjson";
  flags.accounts = folder + "/accounts.ndjson";
  std::FILE* file = std::fopen(flags.log.c_str(), "wb");
  if (file == nullptr)
    return base::fail(base::Fault::environment,
                      fmt::format("cannot write {}; set TMPDIR to a folder with space", flags.log));
  options.stream_to = ::fileno(file);
  const auto summary = sim::simulate(options);
  std::fclose(file);
  if (!summary) return base::fail(summary.error());
  return {};
}

void print_stages(const Flags& flags, const std::vector<Stage>& stages, std::uint64_t bytes, unsigned threads) {
  const Stage& limit = stages.front();
  if (flags.json) {
    std::string list;
    for (const Stage& stage : stages) {
      list += fmt::format("{}{{\"stage\":\"{}\",\"records\":{},\"seconds\":{:.3f},\"records_per_second\":{:.0f}}}",
                          list.empty() ? "" : ",", stage.name, stage.records, stage.seconds,
                          static_cast<double>(stage.records) / stage.seconds);
    }
    std::printf("{\"bench\":\"replay\",\"bytes\":%llu,\"threads\":%u,\"stages\":[%s]}\n",
                static_cast<unsigned long long>(bytes), threads, list.c_str());
    return;
  }
  std::printf("%llu records of %.0f bytes on average, fastest of %d rounds, %u threads at most\n\n",
              static_cast<unsigned long long>(limit.records),
              static_cast<double>(bytes) / static_cast<double>(std::max<std::uint64_t>(1, limit.records)), flags.rounds,
              threads);
  std::printf("%-44s %12s %12s %10s\n", "stage", "records/s", "us/record", "of limit");
  for (const Stage& stage : stages) {
    const double rate = static_cast<double>(stage.records) / stage.seconds;
    std::printf("%-44s %12.0f %12.2f %9.1f %%\n", stage.name, rate, 1e6 / rate,
                100 * rate * limit.seconds / static_cast<double>(limit.records));
  }
}

base::Result<int> bench_replay(Flags flags) {
  STILLWATCH_TRY(folder, base::TemporaryFolder::make());
  STILLWATCH_CHECK(make_log(flags, folder.path()));
  STILLWATCH_TRY(secret, crypto::load_or_create_secret(folder / "secret"));
  const crypto::KeyedHash keyed_hash(secret);
  const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  std::vector<Stage> stages{{"parse only (simdjson, same fields): the limit"},
                            {"+ tokens and fingerprint"},
                            {"+ time order, duplicates (1 thread)"},
                            {"full path, 1 thread"},
                            {"full path, all threads"}};
  for (int round = 0; round < flags.rounds; ++round) {
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const auto started = Clock::now();
      auto records = i == 0   ? parse_only(flags.log)
                     : i == 1 ? parse_and_fingerprint(flags.log, keyed_hash)
                     : i == 2 ? read_in_order(flags.log, keyed_hash, 1)
                     : i == 3 ? full_path(flags, folder.path(), 1)
                              : full_path(flags, folder.path(), threads);
      if (!records) return base::fail(records.error());
      stages[i].records = *records;
      stages[i].seconds = std::min(stages[i].seconds, seconds_since(started));
    }
  }
  std::error_code code;
  print_stages(flags, stages, std::filesystem::file_size(flags.log, code), threads);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Run& run) {
  CLI::App* bench = app.add_subcommand(
      "bench", "Measurements, each with its limit measured in the same run\n\nExample:\n  stillwatch bench replay\n");
  bench->require_subcommand(1);
  add_bench_flood(*bench, run);
  add_bench_load(*bench, run);
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      bench->add_subcommand("replay", "Parse only, with fingerprint, and the full path on one and all threads");
  command->add_option("--log", flags->log, "Plain query log; without it a world is simulated");
  command->add_option("--accounts", flags->accounts, "Account records for --log");
  command->add_option("--world", flags->world, "World to simulate")->capture_default_str();
  command->add_option("--rounds", flags->rounds, "Rounds; the fastest counts")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command->add_flag("--json", flags->json, "Print JSON");
  command->callback([flags, &run] {
    run = [flags] {
      auto code = bench_replay(*flags);
      return code ? *code : report_error(code.error());
    };
  });
  add_closed_loop(*bench, run);
}

}  // namespace stillwatch::app
