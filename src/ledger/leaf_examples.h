// One leaf of each kind with every field set, for tests and the benchmark.
// Threads: pure. Invariant: the bytes of these stand in leaf_test.cc and in docs/reference/audit-log.md.
#pragma once

#include <vector>

#include "ledger/leaf.h"

namespace stillwatch::ledger::test {

template <class Bytes>
Bytes bytes_of(unsigned first) {
  Bytes bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

inline QueryLeaf query_example() {
  QueryLeaf leaf;
  leaf.time_ms = 1'795'305'600'123;
  leaf.id = bytes_of<Id16>(0);
  leaf.tenant = bytes_of<Id16>(16);
  leaf.account = bytes_of<Id16>(32);
  leaf.model = "m-4.2";
  leaf.endpoint = "chat";
  leaf.tokens_in = 812;
  leaf.tokens_out = 1'490;
  leaf.payload_plain = bytes_of<Hash32>(48);
  leaf.payload_blob = bytes_of<Hash32>(80);
  leaf.payload_key = bytes_of<Name12>(112);
  leaf.scores = {{"coord", 0.83}, {"cot", 0.61}};
  leaf.action = "throttle";
  leaf.policy = bytes_of<Name12>(124);
  leaf.record = bytes_of<Hash32>(136);
  return leaf;
}

inline DecisionLeaf decision_example() {
  DecisionLeaf leaf;
  leaf.time_ms = 1'795'305'600'123;
  leaf.id = bytes_of<Id16>(1);
  leaf.account = bytes_of<Id16>(2);
  leaf.subject = "account";
  leaf.rule = "campaign.member";
  leaf.level = "restrict";
  leaf.class_ = "distiller";
  leaf.campaign = "c-000012";
  leaf.verdict = bytes_of<Hash32>(3);
  leaf.software = bytes_of<Name12>(4);
  leaf.configuration = bytes_of<Name12>(5);
  leaf.calibration = bytes_of<Name12>(6);
  leaf.inputs = {{"audit.example/audit/s00/2026-10", 77, 900}, {"audit.example/audit/s00/2026-11", 0, 123'456}};
  leaf.state = bytes_of<Hash32>(7);
  leaf.policy = bytes_of<Name12>(8);
  return leaf;
}

inline std::vector<Leaf> leaf_examples() {
  constexpr std::int64_t kTimeMs = 1'795'305'600'123;
  return {
      query_example(),
      decision_example(),
      PolicyLeaf{kTimeMs, bytes_of<Hash32>(1), bytes_of<Hash32>(2), bytes_of<Hash32>(3), bytes_of<Hash32>(4),
                 bytes_of<Hash32>(5)},
      CalibrationLeaf{kTimeMs, bytes_of<Hash32>(1), 1'795'000'000'000, 1'795'200'000'000, 1'800},
      KeyLeaf{kTimeMs, "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
      AccessLeaf{kTimeMs, bytes_of<Id16>(1), bytes_of<Name12>(2), "j.doe", "review of a \"complaint\"", "case-7"},
      ExportLeaf{kTimeMs, "case-7", bytes_of<Hash32>(1), 4'711, "j.doe"},
      HoldLeaf{kTimeMs, "case-7", true, bytes_of<Hash32>(1), 12, 1'795'000'000'000, 1'796'000'000'000, "j.doe"},
      EraseLeaf{kTimeMs,
                "request",
                3,
                {bytes_of<Name12>(1), bytes_of<Name12>(2)},
                "audit.example/audit/s00/2026-10",
                65'536,
                "j.doe"},
      GapLeaf{kTimeMs, 1'795'305'590'000, 1'795'305'600'000, 17, "overflow"},
      OpenLeaf{kTimeMs, "audit.example/audit/s00/2026-11", "audit.example/audit/s00/2026-10", bytes_of<Hash32>(1)},
      CloseLeaf{kTimeMs, 99, "period"},
  };
}

/// What may be absent is.
inline std::vector<Leaf> bare_leaf_examples() {
  return {QueryLeaf{},  DecisionLeaf{}, PolicyLeaf{}, CalibrationLeaf{}, KeyLeaf{},  AccessLeaf{},
          ExportLeaf{}, HoldLeaf{},     EraseLeaf{},  GapLeaf{},         OpenLeaf{}, CloseLeaf{}};
}

}  // namespace stillwatch::ledger::test
