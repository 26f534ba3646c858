// A made-up case in memory: a shard log, an anchor log over it, a witness; for the tests of this module.
//
// Invariant: the same bytes on every machine; its proofs and signatures hold. Used by tests only.
#pragma once

#include <string>
#include <vector>

#include "ledger/anchor.h"
#include "ledger/leaf_examples.h"
#include "report/evidence.h"
#include "tlog/cosignature.h"
#include "tlog/log_fixture.h"
#include "tlog/offline_proof.h"
#include "tlog/policy.h"

namespace stillwatch::report::test {

inline std::string leaf_bytes(const ledger::Leaf& leaf) {
  std::string bytes;
  STILLWATCH_ASSERT(ledger::write_leaf(leaf, bytes));
  return bytes;
}

inline std::string proof_in(const tlog::test::MemoryLog& log, std::uint64_t index, const std::string& note) {
  tlog::test::MemorySource source(log.leaves());
  return tlog::OfflineProof{std::nullopt, index, *tlog::inclusion_proof(source, index, log.leaves().size()), note}
      .text();
}

struct ExampleCase {
  std::vector<std::string> leaves;
  std::string note, anchor_note, manifest, salt = std::string(32, '\5');
  EvidenceInput input;
  EvidenceEntry export_entry;
};

inline constexpr std::int64_t kExampleTimeMs = 1'795'305'600'000;

/// 20 requests and 2 decisions, of which entries 3, 7 and 21 are in the bundle. `payload`: of entry 7, opened.
inline ExampleCase example_case() {
  ExampleCase out;
  const std::string origin = "audit.example/audit/s00/2026-11", plaintext = "a prompt", salt(32, '\7');
  for (std::uint8_t i = 0; i < 20; ++i) {
    ledger::QueryLeaf leaf = ledger::test::query_example();
    leaf.id[0] = i;
    crypto::Sha256 hash;
    hash.update(std::string_view("aud1 payload\0", 13));
    hash.update(salt);
    hash.update(tlog::hash_bytes(crypto::sha256(plaintext)));
    leaf.payload_plain = hash.finish();
    out.leaves.push_back(leaf_bytes(leaf));
  }
  for (int i = 0; i < 2; ++i) out.leaves.push_back(leaf_bytes(ledger::test::decision_example()));
  const tlog::test::MemoryLog log(origin, out.leaves);
  out.note = log.checkpoint_of(out.leaves.size());

  out.manifest = *ledger::manifest_text({*ledger::manifest_log(out.note)});
  ledger::Hash32 salt32;
  salt32.fill(5);
  std::vector<std::string> anchors;
  for (int i = 0; i < 4; ++i)
    anchors.push_back(
        ledger::anchor_leaf_text({1'795'305'600 + 10 * i, ledger::manifest_hash(salt32, out.manifest), {}}));
  const tlog::test::MemoryLog anchor("audit.example/anchor/2026", anchors, 2);
  const tlog::Ed25519Cosigner witness("w1.example", tlog::test::seed_of(9));
  const std::string bare = anchor.checkpoint_of(anchors.size());
  const tlog::NoteSignature cosignature = *witness.cosign(tlog::parse_note(bare)->text, 1'795'305'660);
  out.anchor_note = *tlog::add_signatures(bare, std::vector{cosignature});

  EvidenceInput& input = out.input;
  input.case_id = "c-000012";
  input.operator_name = "J. Doe <script>";
  input.reason = "matter \"7\"";
  input.time_ms = kExampleTimeMs;
  input.tool_version = "0.1.0";
  input.tool_sha256 = std::string(64, 'a');
  const std::string name = "shard-s00-2026-11", anchor_name = "anchor-2026";
  input.logs = {{name, origin, log.key().text(), out.note, false, true},
                {anchor_name, "audit.example/anchor/2026", anchor.key().text(), out.anchor_note, true, false}};
  for (const std::uint64_t index : {3U, 7U, 21U})
    input.entries.push_back({name, index, out.leaves[index], proof_in(log, index, out.note)});
  input.entries.push_back({anchor_name, 2, anchors[2], proof_in(anchor, 2, out.anchor_note)});
  input.manifests = {{anchor_name, 2, out.manifest, out.salt, {name}}};
  input.payloads = {{name, 7, plaintext, salt}};
  input.custody = {{kExampleTimeMs, "J. Doe", "read the log", origin, std::string(64, 'b'), ""},
                   {kExampleTimeMs, "J. Doe", "made the bundle", "", "", std::string(64, 'c')}};
  input.gaps = {"Nothing of 2026-10 is here."};
  input.checker_source = "package main\n";
  input.attachments = {{"case/campaign.json", "{}\n"}};
  input.export_origin = "audit.example/audit/desk/2026-11";

  const tlog::Ed25519NoteSigner desk("audit.example/audit/desk/2026-11", tlog::test::seed_of(3));
  tlog::Policy policy;
  policy.logs = {{log.key(), {}}, {anchor.key(), {}}, {desk.verifier_key(), {}}};
  policy.witnesses = {{"w1", witness.verifier_key(), {}}};
  policy.quorum = "w1";
  input.policy = policy.text();
  return out;
}

/// The leaf that says the bundle's hash, as the only entry of the log that commands write.
inline EvidenceEntry export_of(const EvidenceBundle& bundle) {
  ledger::ExportLeaf leaf;
  leaf.time_ms = kExampleTimeMs;
  leaf.case_id = "c-000012";
  leaf.bundle = bundle.manifest_sha256;
  leaf.entries = 4;
  leaf.by = "J. Doe";
  const std::string bytes = leaf_bytes(leaf);
  const tlog::test::MemoryLog desk("audit.example/audit/desk/2026-11", {bytes}, 3);
  return {"shard-desk-2026-11", 0, bytes, proof_in(desk, 0, desk.checkpoint_of(1))};
}

}  // namespace stillwatch::report::test
