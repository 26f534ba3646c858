// `stillwatch ledger export`: the evidence of one case, as a folder or a tar that others verify without us.
#include <algorithm>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "app/ledger_payload.h"
#include "audit/commitments.h"
#include "audit/desk_log.h"
#include "base/files.h"
#include "base/json_text.h"
#include "report/case_findings.h"
#include "report/checker_source.h"
#include "report/evidence_source.h"
#include "report/evidence_words.h"
#include "tlog/policy.h"

namespace stillwatch::app {
namespace {

using base::Fault;

struct Flags {
  LedgerFlags ledger;
  std::string case_id, findings, reason, who, out;
  std::vector<std::string> open;
  std::uint64_t requests_max = 1'000;
};

/// What one export holds while it is made.
struct Export {
  const Flags& flags;
  LedgerPlace place;
  LedgerKeys keys;
  audit::DeskLog desk;
  std::string who;
  report::GatheredEvidence gathered;

  report::EvidenceInput& input() { return gathered.input; }
  void step(std::string what, std::string source, std::string before = {}, std::string after = {}) {
    input().custody.push_back({now_ms(), who, std::move(what), std::move(source), std::move(before), std::move(after)});
  }
};

std::string sha256_text(std::string_view bytes) {
  const crypto::Sha256Digest digest = crypto::sha256(bytes);
  return report::hexadecimal({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

base::Status add_payloads(Export& work) {
  if (work.flags.open.empty()) return {};
  STILLWATCH_TRY(opener, PayloadOpener::open(work.place, *work.keys.book, work.desk));
  for (const std::string& text : work.flags.open) {
    STILLWATCH_TRY(id, parse_leaf_id(text));
    STILLWATCH_TRY(found, find_leaf(work.place.folder, id));
    const bool is_in = std::any_of(work.input().entries.begin(), work.input().entries.end(), [&](const auto& entry) {
      return entry.log == found.log && entry.index == found.index;
    });
    if (!is_in) {
      return base::fail(Fault::caller,
                        fmt::format("{} is not among the entries of this bundle; see --requests-max", text));
    }
    STILLWATCH_TRY(opened, opener.open(found, {text, work.who, work.flags.reason, work.flags.case_id}));
    if (opened.found != ledger::Found::opened) {
      work.input().gaps.push_back(
          fmt::format("Of entry {} of {}: {}.", found.index, found.origin, opened_sentence(opened)));
      continue;
    }
    const ledger::Payload& payload = opened.payload;
    std::string bytes = ledger::payload_bytes(payload.prompt, payload.response, payload.headers);
    work.step("opened a content", fmt::format("entry {} of {}", found.index, found.origin), "", sha256_text(bytes));
    work.input().payloads.push_back(
        {found.log, found.index, std::move(bytes),
         std::string(reinterpret_cast<const char*>(opened.salt.data()), opened.salt.size())});
  }
  return {};
}

/// The desk log's key joins those of the case, so that the export leaf can be checked.
base::Status add_desk_key(Export& work) {
  STILLWATCH_TRY(policy, tlog::Policy::parse(work.input().policy));
  if (policy.log_key(work.desk.origin()) == nullptr) {
    STILLWATCH_TRY(key, tlog::VerifierKey::parse(work.desk.vkey()));
    policy.logs.push_back({std::move(key), {}});
  }
  work.input().policy = policy.text();
  work.input().export_origin = work.desk.origin();
  return {};
}

void describe(Export& work, const report::CaseFindings& findings) {
  report::EvidenceInput& input = work.input();
  input.case_id = work.flags.case_id;
  input.operator_name = work.who;
  input.reason = work.flags.reason;
  input.time_ms = now_ms();
  input.tool_version = STILLWATCH_VERSION;
  input.checker_source = report::checker_source();
  for (const report::EvidenceLog& log : input.logs)
    work.step("read entries and proofs under this checkpoint", log.origin, sha256_text(log.checkpoint), "");
  const auto attach = [&](const char* name, const std::string& bytes) {
    if (bytes.empty()) return;
    input.attachments.push_back({std::string("case/") + name, bytes});
    work.step("copied the lines of the case", std::string(name) + " of the findings", "", sha256_text(bytes));
  };
  attach("campaign.ndjson", findings.campaign_lines);
  attach("members.ndjson", findings.member_lines);
  attach("verdicts.ndjson", findings.verdict_lines);
  attach("accounts.ndjson", work.gathered.account_lines);
  input.case_page = report::case_page(findings, work.gathered.traffic, input);
  work.step("wrote the bundle", work.flags.case_id, "", sha256_text(input.case_page));
}

base::Status log_export(Export& work, report::EvidenceBundle& bundle) {
  ledger::ExportLeaf leaf;
  leaf.time_ms = work.desk.leaf_time_ms(now_ms());
  leaf.case_id = work.flags.case_id;
  leaf.bundle = bundle.manifest_sha256;
  leaf.entries = work.input().entries.size();
  leaf.by = work.who;
  STILLWATCH_TRY(place, work.desk.append(leaf, now_ms()));
  STILLWATCH_TRY(entry, report::entry_with_proof(work.place.folder, place.log, place.index));
  if (place.origin != work.input().export_origin)
    return base::fail(Fault::environment, "the month ended just now; run the command again", true);
  return report::add_export(bundle, entry);
}

base::Status write_bundle(const Export& work, const report::EvidenceBundle& bundle) {
  const std::string& out = work.flags.out;
  if (!out.ends_with(".tar")) return report::write_evidence_folder(bundle, out);
  const std::size_t slash = out.rfind('/');
  const std::string name = out.substr(slash == std::string::npos ? 0 : slash + 1);
  STILLWATCH_TRY(tar, report::evidence_tar(bundle, name.substr(0, name.size() - 4), work.gathered.input.time_ms));
  return base::write_file(out, tar);
}

base::Status print_result(const Export& work, const report::EvidenceBundle& bundle) {
  const report::EvidenceInput& input = work.gathered.input;
  const std::string hash = report::hexadecimal(
      {reinterpret_cast<const char*>(bundle.manifest_sha256.data()), bundle.manifest_sha256.size()});
  if (work.flags.ledger.json) {
    std::string text = "{\"v\":1,\"bundle\":";
    base::append_json_string(text, work.flags.out);
    return print_text(text + fmt::format(",\"manifest_sha256\":\"{}\",\"entries\":{},\"requests\":{},\"decisions\":{},"
                                         "\"payloads\":{},\"stamps\":{},\"gaps\":{}}}\n",
                                         hash, input.entries.size(), work.gathered.requests, work.gathered.decisions,
                                         input.payloads.size(), input.stamps.size(), input.gaps.size()));
  }
  return print_text(fmt::format(
      "{}: {} entries with proofs ({} decisions; {} requests of the case in the logs), {} opened contents, {} time "
      "stamps\nSHA-256 of manifest.json, which the log has too: {}\n{} known gaps; how to check it is in VERIFY.md\n",
      work.flags.out, input.entries.size(), work.gathered.decisions, work.gathered.requests, input.payloads.size(),
      input.stamps.size(), hash, input.gaps.size()));
}

base::Result<int> export_case(const Flags& flags) {
  // Before anything is logged: a leaf about a bundle that cannot be written would be a leaf about nothing.
  if (std::error_code code; std::filesystem::exists(flags.out, code))
    return base::fail(Fault::caller, fmt::format("{} exists already; name one that does not", flags.out));
  STILLWATCH_TRY(place, find_ledger(flags.ledger));
  std::string folder = flags.findings;
  if (folder.empty() && place.gateway) folder = place.gateway->state.folder;
  if (folder.empty()) return base::fail(Fault::caller, "say with --findings=DIR where the replay wrote its results");
  STILLWATCH_TRY(findings, report::read_findings(folder, flags.case_id));
  STILLWATCH_TRY(keys, open_ledger_keys(place, true));
  STILLWATCH_TRY(desk, audit::DeskLog::open(place.folder, place.signed_folder, now_ms()));
  report::EvidenceQuery query;
  query.ledger_folder = place.folder;
  query.case_id = flags.case_id;
  query.accounts = findings.accounts;
  query.requests_max = flags.requests_max;
  query.policy = place.policy;
  for (const auto& [name, path] : place.ca_files) {
    STILLWATCH_TRY(pem, base::read_file(path, 1U << 20));
    query.authorities.emplace_back(name, std::move(pem));
  }
  STILLWATCH_TRY(gathered, report::gather_evidence(query, *keys.book));
  Export work{flags,
              std::move(place),
              std::move(keys),
              std::move(desk),
              flags.who.empty() ? default_operator() : flags.who,
              std::move(gathered)};
  STILLWATCH_TRY(software, audit::software_hash());
  work.input().tool_sha256 = report::hexadecimal({reinterpret_cast<const char*>(software.data()), software.size()});
  STILLWATCH_CHECK(add_payloads(work));
  STILLWATCH_CHECK(add_desk_key(work));
  describe(work, findings);
  STILLWATCH_TRY(bundle, report::make_evidence(work.input()));
  STILLWATCH_CHECK(log_export(work, bundle));
  STILLWATCH_CHECK(write_bundle(work, bundle));
  STILLWATCH_CHECK(work.desk.anchor(now_ms()));
  STILLWATCH_CHECK(print_result(work, bundle));
  return 0;
}

}  // namespace

void add_ledger_export(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = ledger.add_subcommand(
      "export",
      "Evidence of a case as a bundle that others verify with their own programs\n\n"
      "  stillwatch ledger export --ledger=ledger --findings=report --case=c-000001 --reason=\"matter 7\" "
      "--out=case.tar\n"
      "  stillwatch ledger export --config=gateway.toml --case=c-000001 --reason=\"matter 7\" --out=case\n");
  add_place_flags(*command, flags->ledger);
  add_key_flags(*command, flags->ledger);
  command->add_option("--case", flags->case_id, "A campaign, such as c-000001")->required()->type_name("ID");
  command
      ->add_option("--findings", flags->findings, "Output folder of the replay that found it; of a gateway: its state")
      ->type_name("DIR");
  command->add_option("--reason", flags->reason, "What it is for; stands in the bundle")->required();
  command->add_option("--who", flags->who, "Who makes it; else your user name");
  command->add_option("--out", flags->out, "A folder that is not there yet, or a file that ends in .tar")->required();
  command->add_option("--requests-max", flags->requests_max, "Entries of requests at most; chosen evenly")
      ->capture_default_str();
  command->add_option("--open", flags->open, "Requests whose content goes in, in clear; may be given again")
      ->type_name("ID");
  add_outside_flags(*command, flags->ledger);
  add_json_flag(*command, flags->ledger);
  command->callback([flags, &run] { run = [flags] { return finish_command([&] { return export_case(*flags); }); }; });
}

}  // namespace stillwatch::app
