#include "report/ledger_check.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "audit/anchor_writer.h"
#include "audit/cosigned_store.h"
#include "audit/manifest_store.h"
#include "audit/stamp_store.h"
#include "base/files.h"
#include "ledger/anchor.h"
#include "ledger/log_reader.h"
#include "report/evidence_anchors.h"
#include "report/evidence_words.h"
#include "tlog/policy.h"

namespace stillwatch::report {
namespace {

/// Files of a log as its reader gives them.
class ReaderSource final : public tlog::LogSource {
 public:
  explicit ReaderSource(const ledger::LogReader& reader) : reader_(reader) {}
  base::Result<std::string> read_checkpoint() override { return reader_.checkpoint(); }
  base::Status read_tile(const tlog::TileId& tile, std::string& out) override { return read(tile, out); }
  base::Status read_bundle(const tlog::TileId& tile, std::string& out) override { return read(tile, out); }

 private:
  base::Status read(const tlog::TileId& tile, std::string& out) {
    STILLWATCH_TRY(bytes, reader_.resource(tlog::tile_path(tile)));
    out = std::move(bytes);
    return {};
  }
  const ledger::LogReader& reader_;
};

void add(LedgerCheck& check, std::size_t findings_max, tlog::Finding finding) {
  ++check.findings_count;
  if (check.findings.size() < findings_max) check.findings.push_back(std::move(finding));
}

constexpr std::string_view kKinds[] = {"query",  "decision", "policy", "calibration", "key",  "access",
                                       "export", "hold",     "erase",  "gap",         "open", "close"};
static_assert(std::variant_size_v<ledger::Leaf> == std::size(kKinds));

class LedgerChecker {
 public:
  LedgerChecker(const std::string& folder, const LedgerCheckOptions& options) : folder_(folder), options_(options) {}

  base::Result<LedgerCheck> run() {
    if (!options_.policy.empty()) {
      STILLWATCH_TRY(policy, tlog::Policy::parse(options_.policy));
      policy_ = std::move(policy);
    }
    STILLWATCH_TRY(names, shard_log_names(folder_));
    for (const std::string& name : names) check_shard_log(name);
    STILLWATCH_TRY(anchors, audit::anchor_log_names(folder_));
    for (const std::string& name : anchors) {
      std::error_code code;
      if (std::filesystem::exists(folder_ + "/logs/" + name + "/checkpoint", code)) check_anchor_log(name);
    }
    if (check_.logs.empty()) {
      return base::fail(base::Fault::environment,
                        fmt::format("{} holds no log with a checkpoint; name the folder that --ledger named", folder_));
    }
    return std::move(check_);
  }

 private:
  void add_finding(const std::string& file, std::string what, std::optional<std::uint64_t> index = {}) {
    add(check_, options_.findings_max, {file, index, std::move(what)});
  }
  /// Null after a finding.
  const ledger::LogReader* open(const std::string& name);
  void check_tree(const ledger::LogReader& reader, LogCheck& log);
  void check_shard_log(const std::string& name);
  void check_open(const std::string& name, const ledger::OpenLeaf& leaf, const std::string& origin);
  void check_anchor_log(const std::string& name);
  void check_manifests(const std::string& name, const std::vector<ledger::Hash32>& committed, AnchorCheck& anchor);
  void check_manifest(const std::string& name, std::uint64_t index, const std::string& text, AnchorCheck& anchor);
  void check_cosigned(const std::string& name, const ledger::LogReader& reader, AnchorCheck& anchor);
  void check_stamps(const std::string& name, const ledger::LogReader& reader, AnchorCheck& anchor);
  bool is_beginning(const ledger::LogReader& reader, std::uint64_t size, const ledger::Hash32& root);

  const std::string& folder_;
  const LedgerCheckOptions& options_;
  std::optional<tlog::Policy> policy_;
  LedgerCheck check_;
  std::map<std::string, std::unique_ptr<ledger::LogReader>> readers_;  // by name
  std::map<std::string, const ledger::LogReader*> by_origin_;
  std::set<std::pair<std::string, std::uint64_t>> anchored_;  // origins and sizes that were compared
};

const ledger::LogReader* LedgerChecker::open(const std::string& name) {
  auto reader = ledger::LogReader::open(folder_ + "/logs/" + name);
  if (!reader) {
    add_finding(name + "/checkpoint", reader.error().message);
    return nullptr;
  }
  auto& kept = readers_[name];
  kept = std::make_unique<ledger::LogReader>(std::move(*reader));
  by_origin_[kept->origin()] = kept.get();
  return kept.get();
}

void LedgerChecker::check_tree(const ledger::LogReader& reader, LogCheck& log) {
  log.origin = reader.origin();
  log.vkey = reader.vkey();
  log.index_min = reader.index_min();
  const auto key = tlog::VerifierKey::parse(reader.vkey());
  if (!key) return add_finding(log.name, key.error().message);
  ReaderSource source(reader);
  tlog::VerifySettings settings;
  settings.minimum_index = log.index_min;
  settings.findings_max = options_.findings_max;
  check_log(source, *key, settings, log, check_);
}

void LedgerChecker::check_shard_log(const std::string& name) {
  LogCheck log;
  log.name = name;
  const ledger::LogReader* reader = open(name);
  if (reader == nullptr) return;
  check_tree(*reader, log);
  const auto scanned = reader->scan(log.index_min, reader->size(), [&](std::uint64_t index, std::string_view bytes) {
    const auto leaf = ledger::read_leaf(bytes);
    if (!leaf) {
      add_finding(name, "the entry is no leaf: " + leaf.error().message, index);
      return true;
    }
    ++log.leaves[std::string(kKinds[leaf->index()])];
    const auto* opening = std::get_if<ledger::OpenLeaf>(&*leaf);
    if ((index == 0) != (opening != nullptr))
      add_finding(name, "the first entry, and no other, is an open leaf", index);
    if (opening != nullptr) check_open(name, *opening, log.origin);
    return true;
  });
  if (!scanned) add_finding(name, scanned.error().message);
  check_.logs.push_back(std::move(log));
}

/// The log before is older, so it was opened already; a deleted one cannot be compared.
void LedgerChecker::check_open(const std::string& name, const ledger::OpenLeaf& leaf, const std::string& origin) {
  if (leaf.log != origin) add_finding(name, "its open leaf names another log", 0);
  if (!leaf.previous || !leaf.previous_end) return;
  const auto previous = by_origin_.find(*leaf.previous);
  if (previous == by_origin_.end()) return;
  if (ledger::checkpoint_text_hash(previous->second->checkpoint()) != *leaf.previous_end)
    add_finding(name, "its open leaf names another final checkpoint of the log before than that has", 0);
}

bool LedgerChecker::is_beginning(const ledger::LogReader& reader, std::uint64_t size, const ledger::Hash32& root) {
  if (size > reader.size()) return false;
  const auto found = reader.root_at(size);
  return found && *found == root;
}

void LedgerChecker::check_manifest(const std::string& name, std::uint64_t index, const std::string& text,
                                   AnchorCheck& anchor) {
  const auto logs = ledger::read_manifest(text);
  if (!logs) return add_finding("manifests/" + name, logs.error().message, index);
  for (const ledger::ManifestLog& log : *logs) {
    if (!anchored_.emplace(log.origin, log.size).second) continue;
    ++anchor.checkpoints;
    const auto reader = by_origin_.find(log.origin);
    if (reader == by_origin_.end()) continue;  // deleted with its retention
    if (log.size > 0 && !is_beginning(*reader->second, log.size, log.root)) {
      add_finding(name,
                  fmt::format("the anchored checkpoint of {} at size {} is not of this log", log.origin, log.size),
                  index);
    }
  }
}

void LedgerChecker::check_manifests(const std::string& name, const std::vector<ledger::Hash32>& committed,
                                    AnchorCheck& anchor) {
  std::vector<bool> found(committed.size());
  std::string last;
  const auto scanned = audit::scan_manifests(
      folder_ + "/manifests/" + name, 0, [&](std::uint64_t index, const audit::Manifest& manifest) {
        if (index >= committed.size() || found[index]) return true;
        if (ledger::manifest_hash(manifest.salt, manifest.text) != committed[index]) return true;
        found[index] = true;
        ++anchor.manifests;
        if (manifest.text != last) check_manifest(name, index, manifest.text, anchor);
        last = manifest.text;
        return true;
      });
  if (!scanned) return add_finding("manifests/" + name, scanned.error().message);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i]) add_finding("manifests/" + name, "no manifest hashes to what this anchor leaf commits to", i);
  }
}

void LedgerChecker::check_cosigned(const std::string& name, const ledger::LogReader& reader, AnchorCheck& anchor) {
  const auto note = audit::CosignedStore(folder_ + "/cosigned/" + name).newest();
  if (!note) return add_finding("cosigned/" + name, note.error().message);
  if (note->empty()) return;
  const auto checkpoint = tlog::read_checkpoint_unchecked(*note);
  if (!checkpoint) return add_finding("cosigned/" + name, checkpoint.error().message);
  anchor.cosigned_size = checkpoint->size;
  if (!is_beginning(reader, checkpoint->size, checkpoint->root))
    add_finding("cosigned/" + name, "what the witnesses cosigned is not of this log");
  if (!policy_) return;
  tlog::Policy policy = *policy_;
  const auto key = tlog::VerifierKey::parse(reader.vkey());
  if (key && policy.log_key(reader.origin()) == nullptr) policy.logs.push_back({*key, {}});
  const auto seen = tlog::open_witnessed(policy, *note);
  if (!seen) return add_finding("cosigned/" + name, seen.error().message);
  anchor.is_quorum_met = seen->quorum_met;
  for (const auto& one : seen->cosignatures) {
    anchor.cosigners.push_back(
        fmt::format("{} {}", policy.witnesses[one.witness].name, time_text(cosigned_ms(one.unix_s))));
  }
  if (!seen->quorum_met) add_finding("cosigned/" + name, "too few witnesses of the policy have cosigned it");
}

void LedgerChecker::check_stamps(const std::string& name, const ledger::LogReader& reader, AnchorCheck& anchor) {
  const auto stored = audit::StampStore(folder_ + "/stamps").list(name);
  if (!stored) return add_finding("stamps/" + name, stored.error().message);
  for (const audit::StoredStamp& stamp : *stored) {
    const std::string file = fmt::format("stamps/{}/{} at size {}", name, stamp.authority, stamp.size);
    const auto note = base::read_file(stamp.note_path, tlog::kNoteBytesMax);
    const auto reply = base::read_file(stamp.reply_path, audit::kStampReplyBytesMax);
    if (!note || !reply) {
      add_finding(file, (note ? reply.error() : note.error()).message);
      continue;
    }
    const auto checkpoint = tlog::read_checkpoint_unchecked(*note);
    if (!checkpoint || !is_beginning(reader, checkpoint->size, checkpoint->root))
      add_finding(file, "what was stamped is no checkpoint of this log");
    const auto authority = options_.ca_files.find(stamp.authority);
    if (authority == options_.ca_files.end()) {
      ++anchor.stamps_unchecked;
      continue;
    }
    const auto good = audit::check_stored_stamp(*note, *reply, authority->second);
    if (!good) {
      add_finding(file, good.error().message);
      continue;
    }
    ++anchor.stamps_good;
    anchor.newest_stamp_ms = std::max(anchor.newest_stamp_ms, good->time_ms);
  }
}

void LedgerChecker::check_anchor_log(const std::string& name) {
  LogCheck log;
  log.name = name;
  const ledger::LogReader* reader = open(name);
  if (reader == nullptr) return;
  check_tree(*reader, log);
  AnchorCheck anchor;
  anchor.origin = reader->origin();
  anchor.leaves = reader->size();
  anchor.has_policy = policy_.has_value();
  std::vector<ledger::Hash32> committed;
  std::int64_t last_s = 0;
  const auto scanned = reader->scan(0, reader->size(), [&](std::uint64_t index, std::string_view bytes) {
    const auto leaf = ledger::read_anchor_leaf(bytes);
    if (!leaf) add_finding(name, "the entry is no anchor leaf: " + leaf.error().message, index);
    if (leaf && leaf->time_s < last_s) add_finding(name, "its time is before that of the leaf before", index);
    if (leaf) last_s = leaf->time_s;
    committed.push_back(leaf ? leaf->manifest : ledger::Hash32{});
    return true;
  });
  if (!scanned) add_finding(name, scanned.error().message);
  log.leaves["anchor"] = committed.size();
  check_manifests(name, committed, anchor);
  check_cosigned(name, *reader, anchor);
  check_stamps(name, *reader, anchor);
  check_.logs.push_back(std::move(log));
  check_.anchors.push_back(std::move(anchor));
}

}  // namespace

void check_log(tlog::LogSource& source, const tlog::VerifierKey& key, const tlog::VerifySettings& settings,
               LogCheck& log, LedgerCheck& check) {
  const auto report = tlog::verify_log(source, key, settings);
  if (!report) return add(check, settings.findings_max, {log.name + "/checkpoint", {}, report.error().message});
  log.origin = report->checkpoint.origin;
  log.size = report->checkpoint.size;
  log.root = tlog::hash_text(report->checkpoint.root);
  log.entries_checked = report->entries_checked;
  log.tiles_checked = report->tiles_checked;
  for (const tlog::Finding& finding : report->findings)
    add(check, settings.findings_max, {log.name + "/" + finding.file, finding.index, finding.what});
  check.findings_count += report->findings_count - report->findings.size();
}

base::Result<LedgerCheck> check_ledger(const std::string& folder, const LedgerCheckOptions& options) {
  return LedgerChecker(folder, options).run();
}

}  // namespace stillwatch::report
