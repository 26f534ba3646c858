// Runs the audit log by hand, for the tests of this folder: shards, anchors and manifests on the disk. Prints what it
// has promised, so that a test can kill it and see whether the promise holds.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "audit/audit_log.h"
#include "ledger/leaf_examples.h"
#include "ledger/log_reader.h"

namespace {

using namespace stillwatch;
using Arguments = std::vector<std::string>;

constexpr const char* kUsage =
    "audit_writer anchor LEDGER TICKS LEAVES   that many leaves, then an anchor; \"anchored N\", \"shard N\"\n"
    "audit_writer publish LEDGER LOG DIR       the static files of logs/LOG; \"size N\"\n"
    "audit_writer vkey LEDGER LOG              its public key\n";

constexpr std::int64_t kStartMs = 1'795'305'600'000;  // 2026-11-22T00:00:00Z

int report_error(const base::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return base::exit_code(error.fault);
}

void say(std::string_view what, std::uint64_t number) {
  fmt::print("{} {}\n", what, number);
  std::fflush(stdout);
}

std::string leaf(std::uint64_t number) {
  ledger::QueryLeaf query = ledger::test::query_example();
  query.tokens_in = number;
  std::string bytes;
  return ledger::write_leaf(query, bytes) ? bytes : std::string();
}

int anchor(const Arguments& arguments) {
  audit::Settings settings;
  settings.folder = arguments[2];
  settings.host = "audit.example";
  settings.by_hand = true;
  settings.clock = [] { return kStartMs; };
  settings.sequencer.batch_ms_max = 1;
  settings.sequencer.retry_ms = 1;
  auto opened = audit::AuditLog::open(std::move(settings));
  if (!opened) return report_error(opened.error());
  audit::AuditLog& log = **opened;
  say("opened", log.anchor_checkpoint().size);
  const std::uint64_t ticks = std::strtoull(arguments[3].c_str(), nullptr, 10);
  const std::uint64_t leaves = std::strtoull(arguments[4].c_str(), nullptr, 10);
  for (std::uint64_t tick = 0; tick < ticks; ++tick) {
    for (std::uint64_t i = 0; i < leaves; ++i) (void)log.append(leaf(i));
    // One fault must not stop it: the next anchor recovers.
    auto anchored = log.anchor_now(kStartMs + static_cast<std::int64_t>(tick) * 10'000);
    if (!anchored) {
      std::fprintf(stderr, "%s\n", anchored.error().message.c_str());
      continue;
    }
    say("anchored", log.anchor_checkpoint().size);
    say("shard", log.checkpoint().size);
  }
  const auto stopped = log.stop();
  return stopped ? 0 : report_error(stopped.error());
}

int publish(const Arguments& arguments) {
  auto reader = ledger::LogReader::open(arguments[2] + "/logs/" + arguments[3]);
  if (!reader) return report_error(reader.error());
  const auto done = ledger::publish(*reader, arguments[4]);
  if (!done) return report_error(done.error());
  say("size", reader->size());
  return 0;
}

int vkey(const Arguments& arguments) {
  auto reader = ledger::LogReader::open(arguments[2] + "/logs/" + arguments[3]);
  if (!reader) return report_error(reader.error());
  fmt::print("{}\n", reader->vkey());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argv, argv + argc);
  const std::string command = arguments.size() > 1 ? arguments[1] : "";
  if (command == "anchor" && arguments.size() == 5) return anchor(arguments);
  if (command == "publish" && arguments.size() == 5) return publish(arguments);
  if (command == "vkey" && arguments.size() == 4) return vkey(arguments);
  std::fputs(kUsage, stderr);
  return 2;
}
