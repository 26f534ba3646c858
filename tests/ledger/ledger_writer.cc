// Makes, grows, reads and checks logs with the library, for the tests of this folder. Prints what it has promised, so
// that a test can kill it and see whether the promise holds. Usage: see kUsage.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ledger/disk_file.h"
#include "ledger/ended_logs.h"
#include "ledger/fsck.h"
#include "ledger/leaf_examples.h"
#include "ledger/log_chain.h"
#include "ledger/log_reader.h"
#include "ledger/log_store.h"
#include "tlog/offline_proof.h"
#include "tlog/verifier.h"
#include "writer_output.h"

namespace {

using namespace stillwatch;
using namespace stillwatch::ledger;
using Arguments = std::vector<std::string>;

constexpr const char* kUsage =
    "ledger_writer grow LOG COUNT BATCH      append leaves in batches, sign each; \"committed N\", \"signed N\"\n"
    "ledger_writer publish LOG DIR           write the static files; \"size N\"\n"
    "ledger_writer sizes LOG DIR FROM TO     grow by one, publish each size into DIR/<size>\n"
    "ledger_writer proof LOG INDEX FILE      write FILE (.tlog-proof) and FILE.entry\n"
    "ledger_writer months DIR COUNT          append to a chain and go on to the next month, COUNT times\n"
    "ledger_writer prune DIR                 take the entries of all ended logs; \"pruned ORIGIN MINIMUM\"\n"
    "ledger_writer vkey|fsck|dump LOG        public key; findings; hashes of entries as \"index length\"\n"
    "ledger_writer verify DIR VKEY           our own verifier over static files\n";

constexpr const char* kOrigin = "audit.example/audit/s00/2026-11";
constexpr std::int64_t kStartMs = 1'793'491'200'000;  // 2026-11-01T00:00:00Z

KeySeed seed_of(std::string_view origin) {
  KeySeed seed;
  std::uint8_t next = 1;
  for (std::uint8_t& byte : seed.writable()) byte = next++;
  for (std::size_t i = 0; i < origin.size(); ++i)
    seed.writable()[i % 32] = static_cast<std::uint8_t>(seed.view()[i % 32] * 31 + origin[i]);
  return seed;
}

// Leaf number i of every log made here.
std::string leaf(std::uint64_t i) {
  QueryLeaf query = test::query_example();
  query.time_ms = kStartMs + static_cast<std::int64_t>(i);
  for (std::size_t byte = 0; byte < 8; ++byte) query.id[byte] = static_cast<std::uint8_t>(i >> (8 * byte));
  query.model = std::string(i % 11, 'm');
  std::string bytes;
  (void)write_leaf(query, bytes);
  return bytes;
}

base::Result<LogStore> open_or_create(const std::string& folder) {
  return std::filesystem::exists(folder + "/state") ? LogStore::open(folder, seed_of(kOrigin))
                                                    : LogStore::create(folder, kOrigin, seed_of(kOrigin));
}

// An error is said, and the log reopened as a service would; one fault a run must not stop it.
template <class Work>
base::Status with_retries(const std::function<base::Status()>& reopen, Work work) {
  base::Status status = work();
  for (int tries = 0; !status && tries < 3; ++tries) {
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    status = reopen();
    if (status) status = work();
  }
  return status;
}

int grow(const Arguments& arguments) {
  auto store = open_or_create(arguments[0]);
  for (int tries = 0; !store && tries < 3; ++tries) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    store = open_or_create(arguments[0]);
  }
  if (!store) return report_error(store.error());
  say("opened", store->size());
  const std::uint64_t end = store->size() + std::stoull(arguments[1]), batch = std::stoull(arguments[2]);
  while (store->size() < end) {
    const std::uint64_t to = std::min(end, store->size() + batch);
    const auto status =
        with_retries([&] { return store->reopen(); },
                     [&]() -> base::Status {
                       std::vector<std::string> bytes;
                       for (std::uint64_t i = store->size(); i < to; ++i) bytes.push_back(leaf(i));
                       STILLWATCH_CHECK(store->append(std::vector<std::string_view>(bytes.begin(), bytes.end())));
                       say("committed", store->size());
                       STILLWATCH_CHECK(store->sign());
                       say("signed", store->signed_size());
                       return {};
                     });
    if (!status) return report_error(status.error());
  }
  return 0;
}

int publish_log(const Arguments& arguments) {
  const auto reader = LogReader::open(arguments[0]);
  if (!reader) return report_error(reader.error());
  const auto counts = publish(*reader, arguments[1]);
  if (!counts) return report_error(counts.error());
  say("size", reader->size());
  return 0;
}

int sizes(const Arguments& arguments) {
  for (std::uint64_t size = std::stoull(arguments[2]); size <= std::stoull(arguments[3]); ++size) {
    auto store = open_or_create(arguments[0]);
    if (!store) return report_error(store.error());
    std::vector<std::string> bytes;
    for (std::uint64_t i = store->size(); i < size; ++i) bytes.push_back(leaf(i));
    const auto first = store->append(std::vector<std::string_view>(bytes.begin(), bytes.end()));
    if (!first) return report_error(first.error());
    if (const auto note = store->sign(); !note) return report_error(note.error());
    if (const int code = publish_log({arguments[0], fmt::format("{}/{:06}", arguments[1], size)}); code != 0)
      return code;
  }
  return 0;
}

int proof(const Arguments& arguments) {
  const auto reader = LogReader::open(arguments[0]);
  if (!reader) return report_error(reader.error());
  const std::uint64_t index = std::stoull(arguments[1]);
  const auto entry = reader->entry(index);
  if (!entry) return report_error(entry.error());
  auto hashes = reader->inclusion_proof(index);
  if (!hashes) return report_error(hashes.error());
  tlog::OfflineProof file;
  file.index = index;
  file.proof = std::move(*hashes);
  file.checkpoint = reader->checkpoint();
  std::ofstream(arguments[2], std::ios::binary) << file.text();
  std::ofstream(arguments[2] + ".entry", std::ios::binary) << *entry;
  return 0;
}

int months(const Arguments& arguments) {
  LogChainOptions options;
  options.folder = arguments[0];
  options.folder_prefix = "shard-s00";
  options.origin_prefix = "audit.example/audit/s00";
  auto chain = LogChain::open(options, kStartMs);
  for (int tries = 0; !chain && tries < 3; ++tries) {
    std::fprintf(stderr, "%s\n", chain.error().message.c_str());
    chain = LogChain::open(options, kStartMs);
  }
  if (!chain) return report_error(chain.error());
  constexpr std::int64_t kMonthMs = std::int64_t{31} * 86'400'000;
  for (std::uint64_t month = 0; month < std::stoull(arguments[1]); ++month) {
    const std::int64_t now_ms = std::max(chain->last_time(), kStartMs) + kMonthMs;
    const std::string bytes = leaf(month);
    const auto status = with_retries([&] { return chain->reopen(); },
                                     [&]() -> base::Status {
                                       STILLWATCH_CHECK(chain->roll(now_ms));
                                       STILLWATCH_CHECK(chain->log().append(std::vector<std::string_view>{bytes}));
                                       STILLWATCH_CHECK(chain->sign());
                                       return {};
                                     });
    if (!status) return report_error(status.error());
    fmt::print("in {}\n", chain->log().origin());
    std::fflush(stdout);
  }
  return 0;
}

int prune(const Arguments& arguments) {
  const auto logs = ended_logs(arguments[0]);
  if (!logs) return report_error(logs.error());
  for (const EndedLog& log : *logs) {
    if (!log.is_raised) {
      if (const base::Status status = raise_minimum(log); !status) return report_error(status.error());
    }
    if (const base::Status status = remove_entries(log); !status) return report_error(status.error());
    fmt::print("pruned {} {}\n", log.origin, log.size);
  }
  return 0;
}

int vkey(const Arguments& arguments) {
  std::ifstream file(arguments[0] + "/key");
  std::string text;
  std::getline(file, text);
  fmt::print("{}\n", text);
  return text.empty() ? 1 : 0;
}

int check(const Arguments& arguments) {
  const auto report = fsck(arguments[0]);
  if (!report) return report_error(report.error());
  for (const FsckFinding& finding : report->findings)
    fmt::print("{} byte {}: {}\n", finding.file, finding.offset, finding.what);
  say("size", report->size);
  return report->findings.empty() ? 0 : 1;
}

// Every entry must be the one that grow() wrote there, or a leaf of the chain itself.
int dump(const Arguments& arguments) {
  const auto reader = LogReader::open(arguments[0]);
  if (!reader) return report_error(reader.error());
  std::uint64_t wrong = 0;
  const auto status = reader->scan(0, reader->size(), [&](std::uint64_t index, std::string_view entry) {
    if (entry.find("\"k\":\"query\"") != std::string_view::npos && entry != leaf(index)) ++wrong;
    return true;
  });
  if (!status) return report_error(status.error());
  say("size", reader->size());
  say("wrong", wrong);
  return wrong == 0 ? 0 : 1;
}

int verify(const Arguments& arguments) {
  const auto key = tlog::VerifierKey::parse(arguments[1]);
  if (!key) return report_error(key.error());
  tlog::FolderLog log(arguments[0]);
  const auto report = tlog::verify_log(log, *key, {});
  if (!report) return report_error(report.error());
  for (const tlog::Finding& finding : report->findings) fmt::print("{}: {}\n", finding.file, finding.what);
  return report->holds() ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  const std::map<std::string, std::pair<std::size_t, int (*)(const Arguments&)>> commands = {
      {"grow", {3, grow}},     {"publish", {2, publish_log}}, {"sizes", {4, sizes}}, {"proof", {3, proof}},
      {"months", {2, months}}, {"vkey", {1, vkey}},           {"prune", {1, prune}}, {"fsck", {1, check}},
      {"dump", {1, dump}},     {"verify", {2, verify}}};
  const Arguments arguments(words + std::min(count, 2), words + count);
  const auto command = commands.find(count > 1 ? words[1] : "");
  if (command == commands.end() || arguments.size() != command->second.first) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  try {
    return command->second.second(arguments);
  } catch (const std::exception& error) {  // a number that is none
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
