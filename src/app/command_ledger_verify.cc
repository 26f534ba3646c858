// `stillwatch ledger verify` and `ledger fsck`: is it what its checkpoints say, and is every byte on the disk right.
#include <cstdio>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "audit/kept_states.h"
#include "base/json_text.h"
#include "http/client.h"
#include "ledger/fsck.h"
#include "report/evidence_words.h"
#include "report/ledger_check.h"
#include "report/words.h"

namespace stillwatch::app {
namespace {

using base::Fault;
using report::LedgerCheck;

struct Flags {
  LedgerFlags ledger;
  std::string target, key;
};

/// A log behind an address, such as https://audit.example/anchor/2026.
class FetchedLog final : public tlog::LogSource {
 public:
  explicit FetchedLog(std::string address) : address_(std::move(address)) {
    while (address_.ends_with('/')) address_.pop_back();
  }
  base::Result<std::string> read_checkpoint() override { return fetch("checkpoint"); }
  base::Status read_tile(const tlog::TileId& tile, std::string& out) override { return read(tile, out); }
  base::Status read_bundle(const tlog::TileId& tile, std::string& out) override { return read(tile, out); }

 private:
  base::Result<std::string> fetch(const std::string& path) {
    http::FetchRequest request;
    request.url = address_ + "/" + path;
    request.answer_bytes_max = tlog::kBundleBytesMax;
    STILLWATCH_TRY(answer, http::fetch_blocking(std::move(request)));
    if (answer.status != 200) {
      return base::fail(Fault::environment, fmt::format("{}/{} answered {}", address_, path, answer.status));
    }
    return std::move(answer.body);
  }
  base::Status read(const tlog::TileId& tile, std::string& out) {
    auto bytes = fetch(tlog::tile_path(tile));
    // Once the full one is there, a server may have let go of the partial one.
    if (!bytes && !tile.is_full()) bytes = fetch(tlog::tile_path(tile.full()));
    if (!bytes) return base::fail(std::move(bytes).error());
    out = std::move(*bytes);
    return {};
  }
  std::string address_;
};

std::string json_of(std::string_view text) {
  std::string out;
  base::append_json_string(out, text);
  return out;
}

std::string as_json(const LedgerCheck& check) {
  std::string out = fmt::format("{{\"v\":1,\"holds\":{},\"logs\":[", check.holds());
  std::string_view comma = "";
  for (const report::LogCheck& log : check.logs) {
    out +=
        fmt::format("{}{{\"origin\":{},\"size\":{},\"root\":{},\"entries_checked\":{},\"first_entry\":{},\"leaves\":{{",
                    comma, json_of(log.origin), log.size, json_of(log.root), log.entries_checked, log.index_min);
    std::string_view inner = "";
    for (const auto& [kind, count] : log.leaves) {
      out += fmt::format("{}\"{}\":{}", inner, kind, count);
      inner = ",";
    }
    out += "}}";
    comma = ",";
  }
  out += "],\"anchors\":[";
  comma = "";
  for (const report::AnchorCheck& anchor : check.anchors) {
    out += fmt::format(
        "{}{{\"origin\":{},\"leaves\":{},\"manifests\":{},\"checkpoints\":{},\"cosigned_size\":{},"
        "\"quorum\":{},\"stamps_good\":{},\"stamps_unchecked\":{}}}",
        comma, json_of(anchor.origin), anchor.leaves, anchor.manifests, anchor.checkpoints, anchor.cosigned_size,
        anchor.has_policy ? (anchor.is_quorum_met ? "true" : "false") : "null", anchor.stamps_good,
        anchor.stamps_unchecked);
    comma = ",";
  }
  out += fmt::format("],\"findings_count\":{},\"findings\":[", check.findings_count);
  comma = "";
  for (const tlog::Finding& finding : check.findings) {
    out += fmt::format("{}{{\"file\":{},\"index\":{},\"what\":{}}}", comma, json_of(finding.file),
                       finding.index ? std::to_string(*finding.index) : "null", json_of(finding.what));
    comma = ",";
  }
  return out + "]}\n";
}

std::string anchor_text(const report::AnchorCheck& anchor) {
  std::string out = fmt::format("  {} of {} leaves open to their manifest, {} checkpoints of logs in them\n",
                                report::grouped(anchor.manifests), report::grouped(anchor.leaves),
                                report::grouped(anchor.checkpoints));
  if (anchor.cosigned_size == 0) {
    out += "  cosigned by nobody\n";
  } else if (!anchor.has_policy) {
    out += fmt::format("  cosigned at size {}; not checked: no --policy\n", report::grouped(anchor.cosigned_size));
  } else {
    out += fmt::format("  cosigned at size {} by {}; quorum {}\n", report::grouped(anchor.cosigned_size),
                       report::listed(anchor.cosigners, 8), anchor.is_quorum_met ? "met" : "NOT met");
  }
  if (anchor.stamps_good > 0) {
    out += fmt::format("  {} good time stamps, the newest of {}\n", report::grouped(anchor.stamps_good),
                       report::time_text(anchor.newest_stamp_ms));
  }
  if (anchor.stamps_unchecked > 0) {
    out +=
        fmt::format("  {} time stamps not checked: no --stamp-ca for them\n", report::grouped(anchor.stamps_unchecked));
  }
  return out;
}

std::string as_text(const LedgerCheck& check) {
  std::string out;
  for (const report::LogCheck& log : check.logs) {
    out += fmt::format("{}: {} entries, root {}\n", log.origin.empty() ? log.name : log.origin,
                       report::grouped(log.size), log.root);
    if (log.entries_checked < log.size) {
      out += fmt::format("  {} entries read; the first {} are past their retention, their hashes were checked\n",
                         report::grouped(log.entries_checked), report::grouped(log.index_min));
    }
    for (const report::AnchorCheck& anchor : check.anchors) {
      if (anchor.origin == log.origin) out += anchor_text(anchor);
    }
  }
  for (const tlog::Finding& finding : check.findings) {
    out += fmt::format("WRONG {}{}: {}\n", finding.file,
                       finding.index ? fmt::format(", entry {}", *finding.index) : std::string(), finding.what);
  }
  if (check.findings_count > check.findings.size())
    out += fmt::format("and {} more findings\n", check.findings_count - check.findings.size());
  return out + (check.holds() ? "all of it holds\n" : "it does NOT hold\n");
}

/// One log, whoever serves it, with its key from somewhere else: a log that brings its own key proves nothing.
base::Result<LedgerCheck> check_one(tlog::LogSource& source, const Flags& flags) {
  if (flags.key.empty()) return base::fail(Fault::caller, "give the log's public key with --key=VKEY");
  const auto key = tlog::VerifierKey::parse(flags.key);
  if (!key) return base::fail(Fault::caller, "--key: " + key.error().message);
  LedgerCheck check;
  report::LogCheck log;
  log.name = flags.target;
  report::check_log(source, *key, {}, log, check);
  check.logs.push_back(std::move(log));
  return check;
}

base::Result<int> verify(Flags flags) {
  const bool is_address =
      flags.target.starts_with("http://") || flags.target.starts_with("https://") || flags.target.starts_with("unix:");
  base::Result<LedgerCheck> check;
  if (is_address) {
    FetchedLog source(flags.target);
    check = check_one(source, flags);
  } else if (!flags.key.empty()) {
    tlog::FolderLog source(flags.target);
    check = check_one(source, flags);
  } else {
    flags.ledger.folder = flags.target;
    STILLWATCH_TRY(place, find_ledger(flags.ledger));
    check = report::check_ledger(place.folder, {place.policy, place.ca_files, 100});
  }
  if (!check) return base::fail(std::move(check).error());
  STILLWATCH_CHECK(print_text(flags.ledger.json ? as_json(*check) : as_text(*check)));
  return check->holds() ? 0 : base::exit_code(Fault::check);
}

base::Result<int> check_files(const LedgerFlags& flags) {
  STILLWATCH_TRY(place, find_ledger(flags));
  std::vector<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator(place.folder + "/logs")) {
    if (entry.is_directory()) folders.push_back(entry.path().string());
  }
  std::sort(folders.begin(), folders.end());
  std::string text, lines;
  std::uint64_t findings = 0;
  for (const std::string& folder : folders) {
    const std::string name = std::filesystem::path(folder).filename().string();
    ledger::FsckOptions options;
    options.check_leaves = !name.starts_with("anchor-");
    if (!place.signed_folder.empty()) options.signed_path = place.signed_folder + "/" + name;
    STILLWATCH_TRY(report, ledger::fsck(folder, options));
    findings += report.findings.size() + report.findings_more;
    text +=
        fmt::format("{}: {} entries, {} bytes checked, {} findings\n", name, report::grouped(report.entries_checked),
                    report::grouped(report.bytes_checked), report.findings.size() + report.findings_more);
    for (const ledger::FsckFinding& finding : report.findings) {
      text += fmt::format("WRONG logs/{}/{}, byte {}{}: {}\n", name, finding.file, finding.offset,
                          finding.index ? fmt::format(", entry {}", *finding.index) : std::string(), finding.what);
      lines += fmt::format("{}{{\"file\":{},\"offset\":{},\"index\":{},\"what\":{}}}", lines.empty() ? "" : ",",
                           json_of(fmt::format("logs/{}/{}", name, finding.file)), finding.offset,
                           finding.index ? std::to_string(*finding.index) : "null", json_of(finding.what));
    }
  }
  STILLWATCH_TRY(states, audit::check_kept_states(place.folder));
  findings += states.findings.size();
  if (states.states + states.erased > 0 || !states.findings.empty()) {
    text +=
        fmt::format("states: {} kept, {} bytes checked, {} findings; {} that no decision rests on, {} erased\n",
                    states.states, report::grouped(states.bytes), states.findings.size(), states.unused, states.erased);
  }
  for (const audit::KeptStateFinding& finding : states.findings) {
    text += fmt::format("WRONG {}: {}\n", finding.file, finding.what);
    lines += fmt::format("{}{{\"file\":{},\"offset\":0,\"index\":null,\"what\":{}}}", lines.empty() ? "" : ",",
                         json_of(finding.file), json_of(finding.what));
  }
  if (flags.json) text = fmt::format("{{\"v\":1,\"findings_count\":{},\"findings\":[{}]}}\n", findings, lines);
  STILLWATCH_CHECK(print_text(text));
  return findings == 0 ? 0 : base::exit_code(Fault::check);
}

}  // namespace

void add_ledger_verify(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = ledger.add_subcommand(
      "verify",
      "Check a whole ledger: trees, entries, anchors, cosignatures, time stamps\n\n"
      "  stillwatch ledger verify ledger --policy=witnesses.txt --stamp-ca=tsa1=tsa.pem\n"
      "  stillwatch ledger verify https://audit.example/anchor/2026 --key=audit.example/anchor/2026+4ca4...\n");
  command->add_option("TARGET", flags->target, "Folder of a ledger; or, with --key, one log: an address or a folder")
      ->required();
  command->add_option("--key", flags->key, "The log's public key, got from somewhere else")->type_name("VKEY");
  add_outside_flags(*command, flags->ledger);
  add_json_flag(*command, flags->ledger);
  command->callback([flags, &run] { run = [flags] { return finish_command([&] { return verify(*flags); }); }; });
}

void add_ledger_fsck(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<LedgerFlags>();
  CLI::App* command =
      ledger.add_subcommand("fsck",
                            "Check every byte of the logs' files and of kept states; nothing may write to them\n\n"
                            "  stillwatch ledger fsck --ledger=ledger\n");
  add_place_flags(*command, *flags);
  add_json_flag(*command, *flags);
  command->callback([flags, &run] { run = [flags] { return finish_command([&] { return check_files(*flags); }); }; });
}

}  // namespace stillwatch::app
