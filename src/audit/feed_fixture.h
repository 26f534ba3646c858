// For tests of this module and of those above: a feed on a folder of its own, and all leaves of its logs read back.
#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "audit/ledger_paths.h"
#include "audit/recalled_leaves.h"
#include "audit/record_feed.h"
#include "base/files.h"
#include "base/folder_fixture.h"
#include "ledger/log_reader.h"

namespace stillwatch::audit::test {

struct Folder {
  const base::test::Folder own;
  const std::string path = own.path();
};

inline std::unique_ptr<ledger::KeyWrapper> master_of(const std::string& folder) {
  std::filesystem::create_directories(folder + "/keys");
  auto master = ledger::open_master_key_file(master_key_path(folder), true);
  if (!master) throw std::runtime_error(master.error().message);
  return std::move(*master);
}

inline FeedOptions options_in(const std::string& folder) {
  FeedOptions options;
  options.log.folder = folder;
  options.log.host = "audit.example";
  options.log.anchor_interval_ms = 3'600'000;
  options.master = master_of(folder);
  return options;
}

inline std::unique_ptr<RecordFeed> open_feed(FeedOptions options, std::string_view mark = {}) {
  auto feed = RecordFeed::open(std::move(options));
  if (!feed) throw std::runtime_error(feed.error().message);
  if (const auto known = (*feed)->recall({mark}); !known) throw std::runtime_error(known.error().message);
  return std::move(*feed);
}

struct Entry {
  std::string log, bytes;
  std::uint64_t index = 0;
  ledger::Leaf leaf;
};

/// All that the checkpoints of a shard's logs cover. Throws for an entry that is no leaf.
inline std::vector<Entry> entries_of(const std::string& folder, const std::string& shard = "s00") {
  std::vector<Entry> out;
  const auto logs = logs_of_shard(folder, shard);
  if (!logs) throw std::runtime_error(logs.error().message);
  for (const ShardLog& log : *logs) {
    const auto reader = ledger::LogReader::open(log.folder);
    if (!reader) throw std::runtime_error(reader.error().message);
    const auto status = reader->scan(0, reader->size(), [&](std::uint64_t index, std::string_view bytes) {
      auto leaf = ledger::read_leaf(bytes);
      if (!leaf) throw std::runtime_error(leaf.error().message + ": " + std::string(bytes));
      out.push_back({log.origin, std::string(bytes), index, std::move(*leaf)});
      return true;
    });
    if (!status) throw std::runtime_error(status.error().message);
  }
  return out;
}

template <class Kind>
std::vector<Kind> leaves_of(const std::vector<Entry>& entries) {
  std::vector<Kind> out;
  for (const Entry& entry : entries) {
    if (const auto* leaf = std::get_if<Kind>(&entry.leaf)) out.push_back(*leaf);
  }
  return out;
}

inline constexpr std::int64_t kStartUs = 1'795'305'600'000'000;  // 2026-11-22

inline Record record_number(int number, std::int64_t time_us = kStartUs) {
  Record record;
  record.time_us = time_us + number * 1'000;
  record.id = "rec-" + std::to_string(number);
  record.account = "acct_secretive_" + std::to_string(number % 7);
  record.model = "m-large";
  record.line = R"({"v":1,"id":"rec-)" + std::to_string(number) + R"(","account":")" + record.account + "\"}";
  record.status = 200;
  record.input_tokens = 100;
  record.output_tokens = static_cast<std::uint32_t>(number);
  record.scores[1] = 83;
  return record;
}

inline Decision decision_number(int number, std::int64_t time_us = kStartUs) {
  Decision decision;
  decision.time_us = time_us + number * 1'000;
  decision.account = "acct_secretive_" + std::to_string(number % 7);
  decision.rule = "campaign.member";
  decision.level = "throttle";
  decision.class_ = "distiller";
  decision.campaign = "c-000001";
  decision.line =
      R"({"v":1,"subject":{"kind":"account","id":")" + decision.account + R"("},"n":)" + std::to_string(number) + "}";
  return decision;
}

inline Deployment deployment() {
  Deployment deployment;
  deployment.time_us = kStartUs;
  deployment.policy_hash = "sha256:" + std::string(64, 'a');
  return deployment;
}

}  // namespace stillwatch::audit::test
