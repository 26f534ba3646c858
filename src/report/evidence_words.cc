#include "report/evidence_words.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/json_text.h"
#include "crypto/sha256.h"
#include "tlog/policy.h"

namespace stillwatch::report {
namespace {

std::string json_of(std::string_view text) {
  std::string out;
  base::append_json_string(out, text);
  return out;
}

constexpr std::string_view kProcess = R"md(
## The process

1. Each request that the operator's gateway served, or each record of a log that was replayed, became one line of JSON,
   a leaf, in a log that can only grow. A leaf holds times, sizes, the model, the action taken, pseudonyms of customer
   and account, and commitments (SHA-256 or HMAC-SHA256) to the content and to the record. It holds no content.
2. Every leaf is a leaf of a Merkle tree as in RFC 6962. The root and the number of leaves are signed with Ed25519 by a
   key that belongs to this log alone. The same size is never signed with two roots.
3. At a fixed interval the checkpoints of all logs go into one leaf of an anchor log. Its checkpoints are shown to
   witnesses, which sign only what extends what they signed before, and to time stamping authorities (RFC 3161).
4. Decisions about accounts were made by a program from the records in the ranges that each decision leaf names, under
   the software, configuration and calibration whose hashes stand in it.
5. This bundle was made by the program named below. It copied the leaves listed in manifest.json, byte for byte, made
   for each a proof to the signed checkpoint beside it, and wrote the SHA-256 of manifest.json into the log.

## How its accuracy is shown

- A changed, added, left out or reordered leaf changes the root; the proofs, the signed checkpoints, the witnesses'
  signatures and the time stamps then no longer hold. VERIFY.md has commands for each, with programs that the operator
  did not write.
- The program that writes the log is tested against independent implementations of the same formats, and by being
  stopped at random moments.
- The decisions can be computed again from their inputs by whoever has these inputs and the software; the leaf says
  which.

)md";

constexpr std::string_view kLimits = R"md(
## What the log does not show

- That what was written was true or complete when it was written. It shows that it was not changed afterwards.
- Traffic that was kept away from the gateway. Compare with the billing records, and with the leaf ids that customers
  were given.
- Who a person behind an account is.
- The pseudonyms of the leaves (`tn`, `ak`) belong to the accounts named in case/accounts.ndjson by the word of the
  operator: the keys that link them are not in the bundle, as they would open every account of that customer and month.
  The same is true of the commitments `rc` and `vh`.
- Anything about the time before the first time stamp or witness signature but what the operator's clock said.
- It does not hold against an operator who falsifies requests while they are being served, or against enough witnesses
  and the log's key together.
- The log is not a qualified electronic ledger in the sense of Regulation (EU) No 910/2014.
)md";

}  // namespace

std::string checkpoint_path(const std::string& log) { return "checkpoint-" + log + ".txt"; }
std::string entry_path(const std::string& log, std::uint64_t index) {
  return fmt::format("entries/{}/{}.bin", log, index);
}
std::string proof_path(const std::string& log, std::uint64_t index) {
  return fmt::format("proofs/{}/{}.tlog-proof", log, index);
}

std::string manifest_path(const EvidenceManifest& manifest, std::string_view ending) {
  return fmt::format("anchor/{}-{}{}", manifest.anchor, manifest.index, ending);
}

Cosigners cosigners_of(const EvidenceInput& input, const EvidenceLog& anchor) {
  Cosigners out;
  const auto policy = tlog::Policy::parse(input.policy);
  if (!policy) return out;
  const auto seen = tlog::open_witnessed(*policy, anchor.checkpoint);
  if (!seen) return out;
  for (const auto& one : seen->cosignatures)
    out.list.push_back({policy->witnesses[one.witness].name, cosigned_ms(one.unix_s)});
  out.is_quorum_met = seen->quorum_met;
  return out;
}

std::int64_t cosigned_ms(std::uint64_t unix_s) {
  constexpr std::uint64_t kLast = 253'402'300'799;  // 9999-12-31T23:59:59Z, the last that has a text
  return static_cast<std::int64_t>(std::min(unix_s, kLast)) * 1000;
}

std::string time_text(std::int64_t time_ms) { return base::format_time(time_ms * 1000); }

std::string hexadecimal(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::string markdown(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const std::size_t length = base::utf8_length(bytes);
    const auto byte = static_cast<unsigned char>(bytes[0]);
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
      out += '?';
    } else {
      if (length == 1 && std::string_view("\\`*_{}[]<>|~&").find(bytes[0]) != std::string_view::npos) out += '\\';
      out += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string certification_text(const EvidenceInput& input) {
  std::string out =
      "# Statement of the process: a draft for a qualified person\n\n"
      "This is a draft. It certifies nothing until a person who is qualified to do so has checked every sentence, "
      "struck "
      "what\ndoes not hold, and signed it. It is written with Rules 902(11), (13) and (14) of the Federal Rules of "
      "Evidence in mind;\nwhether they, or the rules of another court, are met is for counsel to say.\n";
  out += kProcess;
  out += "## This bundle\n\n";
  out += fmt::format("- Case: {}\n- Made: {}\n- By: {}\n- Reason given: {}\n- Program: stillwatch {}, SHA-256 {}\n",
                     markdown(input.case_id), time_text(input.time_ms), markdown(input.operator_name),
                     markdown(input.reason), markdown(input.tool_version), input.tool_sha256);
  out += fmt::format("- Leaves copied: {}\n- Opened contents: {}\n- Time stamps: {}\n", input.entries.size(),
                     input.payloads.size(), input.stamps.size());
  for (const EvidenceLog& log : input.logs)
    out +=
        fmt::format("- Log: {}{}\n", markdown(log.origin), log.is_anchored || log.is_anchor ? "" : " (not anchored)");
  return out +
         "\n## To be completed by the qualified person\n\n"
         "- Name, position, and why qualified: ______\n"
         "- How I know the process described above: ______\n"
         "- What I checked, when, and with which programs (VERIFY.md): ______\n"
         "- The records were kept in the course of a regularly conducted activity, as a regular practice: ______\n"
         "- The program and the machine worked as described at the time: ______\n\n"
         "Date, place, signature: ______\n";
}

std::string known_gaps_text(const EvidenceInput& input) {
  std::string out = "# Known gaps\n\nWhat is missing from this bundle, and what it cannot show.\n\n## In this case\n\n";
  if (input.gaps.empty()) out += "- None is known.\n";
  for (const std::string& gap : input.gaps) out += "- " + markdown(gap) + "\n";
  return out + std::string(kLimits);
}

std::string custody_text(const EvidenceInput& input) {
  std::string out, before(64, '0');
  const std::string tool = fmt::format("stillwatch {} sha256:{}", input.tool_version, input.tool_sha256);
  std::uint64_t number = 0;
  for (const CustodyStep& step : input.custody) {
    const std::string line = fmt::format(
        "{{\"v\":1,\"n\":{},\"time\":{},\"who\":{},\"what\":{},\"tool\":{},\"source\":{},\"before\":{},\"after\":{},"
        "\"prev\":\"{}\"}}",
        ++number, json_of(time_text(step.time_ms)), json_of(step.who), json_of(step.what), json_of(tool),
        json_of(step.source), step.before.empty() ? "null" : json_of(step.before),
        step.after.empty() ? "null" : json_of(step.after), before);
    const crypto::Sha256Digest digest = crypto::sha256(line);
    before = hexadecimal({reinterpret_cast<const char*>(digest.data()), digest.size()});
    out += line + "\n";
  }
  return out;
}

}  // namespace stillwatch::report
