// For tests of this module only: an observer with its audit log, and what stands in both logs afterwards.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "audit/recalled_leaves.h"
#include "gateway/ledger_link.h"
#include "gateway/observer_fixture.h"
#include "ledger/log_reader.h"

namespace stillwatch::gateway::test {

inline constexpr const char* kPolicy = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

inline settings::Ledger ledger_in(const Folder& folder) {
  settings::Ledger settings;
  settings.folder = folder.path + "/ledger";
  settings.host = "audit.example";
  settings.anchor_ms = 3'600'000;
  return settings;
}

/// An observer with its audit log; ends as after kill -9 unless it is stopped.
struct Pair {
  std::unique_ptr<LedgerLink> link;
  std::unique_ptr<Observer> observer;
  base::Status stop() {
    const base::Status first = observer->stop();
    const base::Status second = link->stop();
    return first ? second : first;
  }
};

inline Pair started(const ObserverOptions& options, const settings::Ledger& ledger, const crypto::KeyedHash& keyed_hash,
                    audit::Clock clock = audit::wall_clock_ms) {
  Pair pair;
  auto link = LedgerLink::open(ledger, kPolicy, std::move(clock));
  if (!link) throw std::runtime_error(link.error().message);
  pair.link = std::move(*link);
  ObserverPorts ports;
  ports.audit = pair.link.get();
  auto observer = Observer::start(options, keyed_hash, std::move(ports));
  if (!observer) throw std::runtime_error(observer.error().message);
  pair.observer = std::move(*observer);
  return pair;
}

inline std::vector<std::string> lines_of_log(const ObserverOptions& options) {
  std::vector<std::string> files, lines;
  for (const auto& entry : std::filesystem::directory_iterator(options.log.folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) {
    if (!file.ends_with(".zst")) continue;
    auto source = intake::LineSource::open(file);
    if (!source) throw std::runtime_error(source.error().message);
    intake::LineBlock block;
    for (;;) {
      const auto more = source->next(block);
      if (!more) throw std::runtime_error(more.error().message);
      if (!*more) break;
      for (const auto& line : block.lines) lines.emplace_back(block.text(line));
    }
  }
  return lines;
}

struct Held {
  std::map<ledger::Id16, int> records, decisions;
  std::map<ledger::Id16, ledger::DecisionLeaf> decision_leaves;
  std::map<ledger::Id16, ledger::QueryLeaf> record_leaves;
  std::uint64_t gaps = 0, gap_records = 0, policies = 0, calibrations = 0;
  std::string bytes;
};

inline Held held_in(const settings::Ledger& settings) {
  Held held;
  const auto logs = audit::logs_of_shard(settings.folder, settings.shard);
  if (!logs) throw std::runtime_error(logs.error().message);
  for (const audit::ShardLog& log : *logs) {
    const auto reader = ledger::LogReader::open(log.folder);
    if (!reader) throw std::runtime_error(reader.error().message);
    const auto status = reader->scan(0, reader->size(), [&](std::uint64_t, std::string_view bytes) {
      const auto leaf = ledger::read_leaf(bytes);
      if (!leaf) throw std::runtime_error(leaf.error().message);
      held.bytes += bytes;
      if (const auto* query = std::get_if<ledger::QueryLeaf>(&*leaf)) {
        ++held.records[query->id];
        held.record_leaves[query->id] = *query;
      } else if (const auto* decision = std::get_if<ledger::DecisionLeaf>(&*leaf)) {
        ++held.decisions[decision->id];
        held.decision_leaves[decision->id] = *decision;
      } else if (const auto* gap = std::get_if<ledger::GapLeaf>(&*leaf)) {
        ++held.gaps;
        held.gap_records += gap->leaves;
      }
      held.policies += std::holds_alternative<ledger::PolicyLeaf>(*leaf) ? 1 : 0;
      held.calibrations += std::holds_alternative<ledger::CalibrationLeaf>(*leaf) ? 1 : 0;
      return true;
    });
    if (!status) throw std::runtime_error(status.error().message);
  }
  return held;
}

inline std::string_view text_after(std::string_view line, std::string_view key) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = line.substr(at + key.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace stillwatch::gateway::test
