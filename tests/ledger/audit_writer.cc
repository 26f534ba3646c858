// Runs the audit log by hand, for the tests of this folder: shards, anchors and manifests on the disk. Prints what it
// has promised, so that a test can kill it and see whether the promise holds.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "audit/audit_log.h"
#include "audit/cosigned_store.h"
#include "audit/page_book.h"
#include "audit/witness_folder.h"
#include "base/files.h"
#include "ledger/leaf_examples.h"
#include "ledger/log_reader.h"
#include "ledger/small_log_fixture.h"
#include "ledger/witness.h"
#include "tlog/cosignature.h"
#include "writer_output.h"

namespace {

using namespace stillwatch;
using Arguments = std::vector<std::string>;

constexpr const char* kUsage =
    "audit_writer anchor LEDGER TICKS LEAVES   that many leaves, then an anchor; \"anchored N\", \"shard N\"\n"
    "audit_writer publish LEDGER LOG DIR       the static files of logs/LOG; \"size N\"\n"
    "audit_writer vkey LEDGER LOG              its public key\n"
    "audit_writer proof LEDGER INDEX FILE      an anchor's .tlog-proof as a page gives it, cosigned; FILE.entry\n"
    "audit_writer witness STATE FROM TO [FORK] asks a witness with that folder to cosign TO entries of a log after "
    "FROM;\n"
    "                                          from entry FORK on it is another log. \"status N\", and the body\n";

constexpr std::int64_t kStartMs = 1'795'305'600'000;  // 2026-11-22T00:00:00Z

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

int proof(const Arguments& arguments) {
  auto reader = ledger::LogReader::open(arguments[2] + "/logs/anchor-2026");
  if (!reader) return report_error(reader.error());
  const tlog::Ed25519Cosigner cosigner("witness.example", ledger::test_seed(9));
  const auto note = tlog::parse_note(reader->checkpoint());
  auto line = cosigner.cosign(note->text, kStartMs / 1'000);
  auto cosigned = tlog::add_signatures(reader->checkpoint(), {{std::move(*line)}});
  if (!cosigned) return report_error(cosigned.error());
  const auto kept = audit::CosignedStore(arguments[2] + "/cosigned/anchor-2026").add(reader->size(), *cosigned);
  if (!kept) return report_error(kept.error());
  audit::Counters counters;
  audit::PageBook pages(arguments[2], "audit.example", audit::Audience::everyone, counters);
  const audit::Page page = pages.answer("GET", "/v1/proof?log=anchor/2026&index=" + arguments[3], 0);
  say("status", static_cast<std::uint64_t>(page.status));
  const auto entry = reader->entry(std::strtoull(arguments[3].c_str(), nullptr, 10));
  if (!entry) return report_error(entry.error());
  const auto written = base::write_file(arguments[4], page.body);
  const auto entry_written = base::write_file(arguments[4] + ".entry", *entry);
  return written && entry_written ? 0 : 4;
}

// Without HTTP: what is tested is what is on the disk when the cosignature is given out.
int witness(const Arguments& arguments) {
  auto folder = audit::WitnessFolder::open(arguments[2], "witness.example");
  if (!folder) return report_error(folder.error());
  ledger::SmallLog log("log.example", 1);
  log.grow(40, arguments.size() > 5 ? std::strtoull(arguments[5].c_str(), nullptr, 10) : 40);
  auto cosigning = ledger::Witness::create((*folder)->take_cosigner(), log.policy(), **folder);
  if (!cosigning) return report_error(cosigning.error());
  const ledger::WitnessAnswer answer =
      (*cosigning)
          ->add_checkpoint(log.request(std::strtoull(arguments[3].c_str(), nullptr, 10),
                                       std::strtoull(arguments[4].c_str(), nullptr, 10)),
                           kStartMs / 1'000);
  say("status", static_cast<std::uint64_t>(answer.status));
  fmt::print("{}", answer.body);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argv, argv + argc);
  const std::string command = arguments.size() > 1 ? arguments[1] : "";
  if (command == "anchor" && arguments.size() == 5) return anchor(arguments);
  if (command == "publish" && arguments.size() == 5) return publish(arguments);
  if (command == "vkey" && arguments.size() == 4) return vkey(arguments);
  if (command == "proof" && arguments.size() == 5) return proof(arguments);
  if (command == "witness" && (arguments.size() == 5 || arguments.size() == 6)) return witness(arguments);
  std::fputs(kUsage, stderr);
  return 2;
}
