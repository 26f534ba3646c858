#include "report/evidence_source.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "audit/commitments.h"
#include "base/event_time.h"
#include "base/json_text.h"
#include "ledger/log_reader.h"
#include "ledger/retention.h"
#include "report/evidence_anchors.h"
#include "report/evidence_words.h"
#include "tlog/checkpoint.h"
#include "tlog/offline_proof.h"
#include "tlog/policy.h"

namespace stillwatch::report {
namespace {

using base::Fault;

constexpr std::size_t kOtherEntriesMax = 10'000;  // policy, open, gap, erase...; there are a few a month
constexpr std::size_t kGapsTold = 50;             // of one log; the leaves themselves are all there
constexpr std::size_t kHoursMax = 24 * 366 * 3;   // drawn; more would be too fine to see

/// Which pseudonym is which account, in one month.
struct Month {
  std::unordered_map<std::string, std::size_t> account_of;  // ak as text
  std::vector<std::uint64_t> requests;                      // by account
  std::uint64_t destroyed = 0;
};

std::string year_month(std::int32_t month) { return fmt::format("{:04}-{:02}", month / 100, month % 100); }

/// Entries of one log that the case takes.
struct Taken {
  std::vector<std::uint64_t> requests, decisions, others;
  std::vector<std::string> gaps;  // told when the log is in the bundle
};

class Gatherer {
 public:
  Gatherer(const EvidenceQuery& query, ledger::KeyBook& keys) : query_(query), keys_(keys) {}

  base::Result<GatheredEvidence> gather() {
    STILLWATCH_TRY(anchors, EvidenceAnchors::read(query_.ledger_folder));
    STILLWATCH_CHECK(set_policy());
    STILLWATCH_TRY(names, shard_log_names(query_.ledger_folder));
    for (const std::string& name : names) STILLWATCH_CHECK(scan_log(name, anchors));
    choose_requests();
    for (std::size_t i = 0; i < readers_.size(); ++i) STILLWATCH_CHECK(take_entries(i));
    STILLWATCH_CHECK(anchors.add_to(out_.input, query_.authorities));
    STILLWATCH_CHECK(add_keys_to_policy());
    tell_of_keys();
    write_accounts();
    return std::move(out_);
  }

 private:
  base::Status set_policy() {
    if (query_.policy.empty()) return {};
    STILLWATCH_TRY(policy, tlog::Policy::parse(query_.policy));
    policy_ = std::move(policy);
    return {};
  }

  base::Status scan_log(const std::string& name, EvidenceAnchors& anchors);
  base::Result<Month*> month_at(std::int64_t time_us);
  void take_request(const ledger::QueryLeaf& leaf, std::uint64_t index, Taken& taken, Month& month);
  void take_other(const ledger::Leaf& leaf, std::uint64_t index, Taken& taken);
  void count_hour(std::int64_t time_us, bool of_case);
  void choose_requests();
  base::Status take_entries(std::size_t i);
  base::Status add_keys_to_policy();
  void tell_of_keys();
  void write_accounts();
  void tell(std::string gap) { out_.input.gaps.push_back(std::move(gap)); }

  const EvidenceQuery& query_;
  ledger::KeyBook& keys_;
  GatheredEvidence out_;
  tlog::Policy policy_;
  std::map<std::int32_t, Month> months_;
  std::vector<ledger::LogReader> readers_;
  std::vector<EvidenceLog> logs_;
  std::vector<std::uint64_t> sizes_;
  std::vector<Taken> taken_;
};

base::Result<Month*> Gatherer::month_at(std::int64_t time_us) {
  const std::int32_t number = ledger::month_of_day(ledger::day_of(time_us));
  const auto [found, is_new] = months_.try_emplace(number);
  Month& month = found->second;
  if (!is_new) return &month;
  month.requests.resize(query_.accounts.size());
  for (std::size_t i = 0; i < query_.accounts.size(); ++i) {
    const std::string& account = query_.accounts[i];
    STILLWATCH_TRY(names, ledger::Pseudonyms::look_up(keys_, audit::tenant_of(account), time_us));
    if (names.are_live()) {
      month.account_of.emplace(ledger::base64url(names.account(account)), i);
    } else if (names.fate().state == ledger::KeyState::destroyed) {
      ++month.destroyed;
    }
  }
  return &month;
}

void Gatherer::count_hour(std::int64_t time_us, bool of_case) {
  CaseTraffic& traffic = out_.traffic;
  const std::int64_t hour_us = time_us / base::kHourUs * base::kHourUs;
  if (traffic.total.empty()) traffic.start_us = hour_us;
  if (hour_us < traffic.start_us) {
    const auto earlier = static_cast<std::size_t>((traffic.start_us - hour_us) / base::kHourUs);
    if (earlier + traffic.total.size() > kHoursMax) return;
    traffic.total.insert(traffic.total.begin(), earlier, 0);
    traffic.case_.insert(traffic.case_.begin(), earlier, 0);
    traffic.start_us = hour_us;
  }
  const auto at = static_cast<std::size_t>((hour_us - traffic.start_us) / base::kHourUs);
  if (at >= kHoursMax) return;
  if (at >= traffic.total.size()) {
    traffic.total.resize(at + 1);
    traffic.case_.resize(at + 1);
  }
  ++traffic.total[at];
  if (of_case) ++traffic.case_[at];
}

void Gatherer::take_request(const ledger::QueryLeaf& leaf, std::uint64_t index, Taken& taken, Month& month) {
  const auto found = month.account_of.find(ledger::base64url(leaf.account));
  const bool of_case = found != month.account_of.end();
  count_hour(leaf.time_ms * 1000, of_case);
  if (!of_case) return;
  ++month.requests[found->second];
  ++out_.requests;
  taken.requests.push_back(index);
}

void Gatherer::take_other(const ledger::Leaf& leaf, std::uint64_t index, Taken& taken) {
  if (const auto* decision = std::get_if<ledger::DecisionLeaf>(&leaf)) {
    if (decision->campaign != query_.case_id) return;
    ++out_.decisions;
    taken.decisions.push_back(index);
    return;
  }
  // What concerns other cases stays out.
  if (const auto* access = std::get_if<ledger::AccessLeaf>(&leaf); access && access->case_id != query_.case_id) return;
  if (const auto* made = std::get_if<ledger::ExportLeaf>(&leaf); made && made->case_id != query_.case_id) return;
  if (const auto* hold = std::get_if<ledger::HoldLeaf>(&leaf); hold && hold->case_id != query_.case_id) return;
  if (taken.others.size() < kOtherEntriesMax) taken.others.push_back(index);
  if (out_.input.gaps.size() >= kGapsTold) return;
  if (const auto* gap = std::get_if<ledger::GapLeaf>(&leaf)) {
    tell(fmt::format("Between {} and {} the log lost {} entries, as its entry {} says: {}.", time_text(gap->from_ms),
                     time_text(gap->to_ms), gap->leaves, index, gap->why));
  } else if (const auto* erased = std::get_if<ledger::EraseLeaf>(&leaf)) {
    tell(fmt::format("Before {} records and keys were erased ({} records, {} keys), as entry {} says: {}.",
                     time_text(erased->time_ms), erased->records, erased->keys.size(), index, erased->why));
  }
}

base::Status Gatherer::scan_log(const std::string& name, EvidenceAnchors& anchors) {
  auto opened = ledger::LogReader::open(query_.ledger_folder + "/logs/" + name);
  if (!opened) return base::fail(opened.error());
  Taken taken;
  EvidenceLog log{name, opened->origin(), opened->vkey(), opened->checkpoint(), false, false};
  std::uint64_t size = opened->size();
  if (const auto anchored = anchors.checkpoint_of(log.origin); anchored && anchored->size > 0) {
    if (anchored->size > size)
      return base::fail(Fault::check, fmt::format("the log {} is shorter than what was anchored of it", name));
    STILLWATCH_TRY(root, opened->root_at(anchored->size));
    if (root != anchored->root)
      return base::fail(Fault::check, fmt::format("the log {} is not the one that was anchored", name));
    if (anchored->size < size) {
      taken.gaps.push_back(
          fmt::format("The last {} entries of {} are younger than its newest anchor and were left out; a later bundle "
                      "can have them.",
                      size - anchored->size, log.origin));
    }
    STILLWATCH_TRY(key, tlog::VerifierKey::parse(log.vkey));
    STILLWATCH_CHECK(tlog::open_checkpoint(anchored->note, key));
    log.checkpoint = anchored->note;
    log.is_anchored = true;
    size = anchored->size;
  } else {
    taken.gaps.push_back(fmt::format(
        "No anchor covers {}: that it was not rewritten since rests on who kept its checkpoints.", log.origin));
  }
  const std::uint64_t from = opened->index_min();
  if (from > 0)
    taken.gaps.push_back(
        fmt::format("Entries 0 to {} of {} are past their retention and deleted.", from - 1, log.origin));
  std::optional<base::Error> failed;
  STILLWATCH_CHECK(opened->scan_proven(from, size, [&](std::uint64_t index, std::string_view bytes) {
    auto leaf = ledger::read_leaf(bytes);
    if (!leaf) {
      failed =
          base::Error{Fault::check, fmt::format("entry {} of {} is no leaf: {}", index, name, leaf.error().message)};
      return false;
    }
    const auto* request = std::get_if<ledger::QueryLeaf>(&*leaf);
    if (request == nullptr) {
      take_other(*leaf, index, taken);
      return true;
    }
    auto month = month_at(request->time_ms * 1000);
    if (!month) {
      failed = month.error();
      return false;
    }
    take_request(*request, index, taken, **month);
    return true;
  }));
  if (failed) return base::fail(std::move(*failed));
  readers_.push_back(std::move(*opened));
  logs_.push_back(std::move(log));
  sizes_.push_back(size);
  taken_.push_back(std::move(taken));
  return {};
}

/// Evenly over all of them, in the order of the logs: the same ones for the same logs.
void Gatherer::choose_requests() {
  if (out_.requests <= query_.requests_max) return;
  std::uint64_t number = 0, chosen = 0;
  for (Taken& taken : taken_) {
    std::vector<std::uint64_t> kept;
    for (const std::uint64_t index : taken.requests) {
      // The k-th is taken when k * max / all steps up.
      if ((number + 1) * query_.requests_max / out_.requests > chosen) {
        kept.push_back(index);
        ++chosen;
      }
      ++number;
    }
    taken.requests = std::move(kept);
  }
  tell(
      fmt::format("Of the {} requests of the case's accounts in the logs, {} are in this bundle, chosen evenly in the "
                  "order of the logs. The others can be had with proofs of their own.",
                  out_.requests, query_.requests_max));
}

base::Status Gatherer::take_entries(std::size_t i) {
  std::vector<std::uint64_t> indices = taken_[i].decisions;
  indices.insert(indices.end(), taken_[i].requests.begin(), taken_[i].requests.end());
  if (indices.empty()) return {};
  indices.insert(indices.end(), taken_[i].others.begin(), taken_[i].others.end());
  std::sort(indices.begin(), indices.end());
  if (out_.input.entries.size() + indices.size() > kEvidenceEntriesMax) {
    return base::fail(Fault::caller,
                      fmt::format("the case has more than {} entries; choose fewer requests", kEvidenceEntriesMax));
  }
  for (const std::uint64_t index : indices) {
    STILLWATCH_TRY(entry, readers_[i].proven_entry(index, sizes_[i]));
    const tlog::OfflineProof offline{std::nullopt, index, std::move(entry.proof), logs_[i].checkpoint};
    out_.input.entries.push_back({logs_[i].name, index, std::move(entry.bytes), offline.text()});
  }
  out_.input.logs.push_back(logs_[i]);
  for (std::string& gap : taken_[i].gaps) tell(std::move(gap));
  return {};
}

/// The keys in the bundle's policy are those of its logs; the witnesses and the quorum are those given.
base::Status Gatherer::add_keys_to_policy() {
  for (const EvidenceLog& log : out_.input.logs) {
    STILLWATCH_TRY(key, tlog::VerifierKey::parse(log.vkey));
    const tlog::VerifierKey* known = policy_.log_key(log.origin);
    if (known == nullptr) {
      policy_.logs.push_back({std::move(key), {}});
    } else if (!(*known == key)) {
      return base::fail(Fault::check, fmt::format("the policy has another key for the log {}", log.origin));
    }
  }
  out_.input.policy = policy_.text();
  return {};
}

void Gatherer::tell_of_keys() {
  for (const auto& [number, month] : months_) {
    if (month.destroyed == 0) continue;
    tell(
        fmt::format("For {} of the case's accounts the pseudonym key of {} was destroyed: their requests of that month "
                    "can no longer be told from others'.",
                    month.destroyed, year_month(number)));
  }
}

void Gatherer::write_accounts() {
  for (const auto& [number, month] : months_) {
    std::map<std::size_t, std::string> names;
    for (const auto& [name, account] : month.account_of) names.emplace(account, name);
    for (const auto& [account, name] : names) {
      out_.account_lines += "{\"account\":";
      base::append_json_string(out_.account_lines, query_.accounts[account]);
      out_.account_lines += fmt::format(",\"month\":\"{}\",\"ak\":\"{}\",\"requests\":{}}}\n", year_month(number), name,
                                        month.requests[account]);
    }
  }
}

}  // namespace

base::Result<GatheredEvidence> gather_evidence(const EvidenceQuery& query, ledger::KeyBook& keys) {
  return Gatherer(query, keys).gather();
}

base::Result<EvidenceEntry> entry_with_proof(const std::string& ledger_folder, const std::string& log_name,
                                             std::uint64_t index) {
  STILLWATCH_TRY(reader, ledger::LogReader::open(ledger_folder + "/logs/" + log_name));
  STILLWATCH_TRY(entry, reader.proven_entry(index));
  const tlog::OfflineProof offline{std::nullopt, index, std::move(entry.proof), reader.checkpoint()};
  return EvidenceEntry{log_name, index, std::move(entry.bytes), offline.text()};
}

}  // namespace stillwatch::report
