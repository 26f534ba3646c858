#include "report/evidence_anchors.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "audit/anchor_writer.h"
#include "audit/cosigned_store.h"
#include "audit/manifest_store.h"
#include "audit/stamp_store.h"
#include "base/files.h"
#include "ledger/log_reader.h"
#include "tlog/checkpoint.h"
#include "tlog/offline_proof.h"

namespace stillwatch::report {
namespace {

using base::Fault;

/// The lines before the empty one, as origin and size: cheaper than reading the whole manifest.
template <class Visit>
void for_each_head(std::string_view manifest, const Visit& visit) {
  while (!manifest.empty()) {
    const std::size_t end = std::min(manifest.find('\n'), manifest.size());
    const std::string_view line = manifest.substr(0, end);
    manifest.remove_prefix(std::min(end + 1, manifest.size()));
    const std::size_t space = line.find(' ');
    if (line.empty() || space == std::string_view::npos) return;
    std::uint64_t size = 0;
    std::from_chars(line.data() + space + 1, line.data() + line.size(), size);
    visit(std::string(line.substr(0, space)), size);
  }
}

std::string bytes_of(const ledger::Hash32& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

}  // namespace

base::Result<std::vector<std::string>> shard_log_names(const std::string& ledger_folder) {
  std::vector<std::string> names;
  const std::string top = ledger_folder + "/logs";
  std::error_code code, none;
  for (std::filesystem::directory_iterator entry(top, code), end; !code && entry != end; entry.increment(code)) {
    std::string name = entry->path().filename().string();
    if (name.starts_with("shard-") && std::filesystem::exists(entry->path() / "checkpoint", none))
      names.push_back(std::move(name));
  }
  if (code) {
    return base::fail(Fault::environment,
                      fmt::format("{} is no folder of a ledger ({}); name the one that --ledger named", ledger_folder,
                                  code.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

base::Result<EvidenceAnchors> EvidenceAnchors::read(const std::string& ledger_folder) {
  EvidenceAnchors anchors;
  anchors.folder_ = ledger_folder;
  STILLWATCH_TRY(names, audit::anchor_log_names(ledger_folder));
  for (const std::string& name : names) STILLWATCH_CHECK(anchors.read_log(name));
  for (const auto& [origin, place] : anchors.places_) STILLWATCH_CHECK(anchors.read_leaf(place));
  return anchors;
}

base::Status EvidenceAnchors::read_log(const std::string& name) {
  std::error_code code;
  const std::string folder = folder_ + "/logs/" + name;
  if (!std::filesystem::exists(folder + "/checkpoint", code)) return {};
  STILLWATCH_TRY(reader, ledger::LogReader::open(folder));
  EvidenceLog log{name, reader.origin(), reader.vkey(), reader.checkpoint(), true, false};
  std::uint64_t size = reader.size();
  STILLWATCH_TRY(cosigned, audit::CosignedStore(folder_ + "/cosigned/" + name).newest());
  if (!cosigned.empty()) {
    STILLWATCH_TRY(seen, tlog::read_checkpoint_unchecked(cosigned));
    if (seen.size > size) return base::fail(Fault::check, fmt::format("{} is shorter than what was cosigned", name));
    STILLWATCH_TRY(root, reader.root_at(seen.size));
    if (root != seen.root) return base::fail(Fault::check, fmt::format("{} is not the log that was cosigned", name));
    log.checkpoint = std::move(cosigned);
    size = seen.size;
  }
  std::string last;
  STILLWATCH_CHECK(audit::scan_manifests(folder_ + "/manifests/" + name, 0,
                                         [&](std::uint64_t index, const audit::Manifest& manifest) {
                                           if (index >= size || manifest.text == last) return true;
                                           last = manifest.text;
                                           for_each_head(last, [&](const std::string& origin, std::uint64_t entries) {
                                             Place& place = places_[origin];
                                             if (place.anchor.empty() || entries > place.size)
                                               place = {name, index, entries};
                                           });
                                           return true;
                                         }));
  anchor_logs_.emplace(name, std::move(log));
  return {};
}

base::Status EvidenceAnchors::read_leaf(const Place& place) {
  Leaf& leaf = leaves_[{place.anchor, place.index}];
  if (!leaf.bytes.empty()) return {};
  STILLWATCH_TRY(reader, ledger::LogReader::open(folder_ + "/logs/" + place.anchor));
  STILLWATCH_TRY(entry, reader.proven_entry(place.index));
  STILLWATCH_TRY(fields, ledger::read_anchor_leaf(entry.bytes));
  STILLWATCH_TRY(manifest, audit::find_manifest(folder_ + "/manifests/" + place.anchor, place.index, fields.manifest));
  STILLWATCH_TRY(logs, ledger::read_manifest(manifest.text));
  leaf = {std::move(entry.bytes), std::move(manifest.text), bytes_of(manifest.salt), std::move(logs)};
  return {};
}

std::optional<ledger::ManifestLog> EvidenceAnchors::checkpoint_of(const std::string& origin) const {
  const auto place = places_.find(origin);
  if (place == places_.end()) return std::nullopt;
  const Leaf& leaf = leaves_.at({place->second.anchor, place->second.index});
  for (const ledger::ManifestLog& log : leaf.logs) {
    if (log.origin == origin) return log;
  }
  return std::nullopt;
}

base::Status EvidenceAnchors::add_to(EvidenceInput& input,
                                     const std::vector<std::pair<std::string, std::string>>& authorities) const {
  std::map<std::pair<std::string, std::uint64_t>, std::vector<std::string>> needed;
  for (const EvidenceLog& log : input.logs) {
    const auto place = places_.find(log.origin);
    if (log.is_anchored && place != places_.end())
      needed[{place->second.anchor, place->second.index}].push_back(log.name);
  }
  std::map<std::string, std::uint64_t> newest;  // by anchor log: the last leaf taken
  for (const auto& [key, logs] : needed) {
    const auto& [name, index] = key;
    const EvidenceLog& anchor = anchor_logs_.at(name);
    const Leaf& leaf = leaves_.at(key);
    STILLWATCH_TRY(reader, ledger::LogReader::open(folder_ + "/logs/" + name));
    STILLWATCH_TRY(checkpoint, tlog::read_checkpoint_unchecked(anchor.checkpoint));
    STILLWATCH_TRY(proof, reader.inclusion_proof(index, checkpoint.size));
    const tlog::OfflineProof offline{std::nullopt, index, std::move(proof), anchor.checkpoint};
    input.entries.push_back({name, index, leaf.bytes, offline.text()});
    input.manifests.push_back({name, index, leaf.manifest, leaf.salt, logs});
    newest[name] = index;
  }
  for (const auto& [name, index] : newest) {
    input.logs.push_back(anchor_logs_.at(name));
    STILLWATCH_CHECK(add_stamps(input, anchor_logs_.at(name), index, authorities));
  }
  return {};
}

/// Of each authority the oldest stamp that covers the leaf: the earliest time that it proves.
base::Status EvidenceAnchors::add_stamps(EvidenceInput& input, const EvidenceLog& log, std::uint64_t index,
                                         const std::vector<std::pair<std::string, std::string>>& authorities) const {
  STILLWATCH_TRY(stored, audit::StampStore(folder_ + "/stamps").list(log.name));
  STILLWATCH_TRY(reader, ledger::LogReader::open(folder_ + "/logs/" + log.name));
  for (const auto& [authority, pem] : authorities) {
    const audit::StoredStamp* best = nullptr;
    for (const audit::StoredStamp& stamp : stored) {
      if (stamp.authority == authority && stamp.size > index && stamp.size <= reader.size() &&
          (best == nullptr || stamp.size < best->size)) {
        best = &stamp;
      }
    }
    if (best == nullptr) {
      input.gaps.push_back(fmt::format("No time stamp of {} covers {} yet.", authority, log.origin));
      continue;
    }
    STILLWATCH_TRY(note, base::read_file(best->note_path, tlog::kNoteBytesMax));
    STILLWATCH_TRY(reply, base::read_file(best->reply_path, audit::kStampReplyBytesMax));
    STILLWATCH_TRY(proof, reader.inclusion_proof(index, best->size));
    const tlog::OfflineProof offline{std::nullopt, index, std::move(proof), note};
    input.stamps.push_back({fmt::format("{}-{}", authority, log.name), log.name, index, std::move(note), offline.text(),
                            std::move(reply), pem});
  }
  return {};
}

}  // namespace stillwatch::report
