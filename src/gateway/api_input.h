// JSON that people and other proxies send to the decision and admin APIs, read into plain structs.
//
// Invariant: any bytes are safe; what is missing or of a wrong type is an error that names the field; unknown fields
// are ignored. Of a repeated key the first one counts.
// Threads: pure functions. Cost: a few microseconds. Bounds: bodies of kApiBodyBytesMax. Spec:
// docs/reference/decision-api.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/ledger_orders.h"
#include "base/result.h"
#include "ledger/hold_book.h"
#include "policy/override.h"

namespace stillwatch::gateway {

inline constexpr std::size_t kApiBodyBytesMax = 1U << 20;  // these bodies have some 200 bytes; a guardrail's have texts

/// POST /v1/decisions/check: who asks, and for what.
struct CheckInput {
  std::string account, end_user, key, address, region, model;
  std::uint32_t n = 1;
  bool logprobs = false, mutual_tls = false, batch = false;
  std::int64_t output_tokens_max = -1;  // -1: not said
};
base::Result<CheckInput> read_check(std::string_view body);

/// PUT /v1/admin/overrides. `set_us` is the time of the call.
base::Result<policy::Override> read_override(std::string_view body, std::int64_t now_us);

/// POST /v1/admin/dry-run: {"on":true}, and optionally {"remedy":"verify"} for one of them.
struct DryRunInput {
  bool on = true;
  std::string remedy;  // empty: the master switch
};
base::Result<DryRunInput> read_dry_run(std::string_view body);

/// POST /v1/admin/ledger/erasures: {"account":...,"reason":...}, and optionally "record", "who".
base::Result<audit::ErasureRequest> read_erasure(std::string_view body);

/// POST /v1/admin/ledger/holds: {"name":...,"case":...,"why":...}, and optionally "accounts" (none: everybody),
/// "record" (of the one account), "from", "until" (days), "who".
struct HoldInput {
  ledger::HoldRequest request;
  std::string record;
};
base::Result<HoldInput> read_hold(std::string_view body);
/// POST /v1/admin/ledger/holds/release: {"name":...,"why":...,"who":...}.
struct ReleaseInput {
  std::string name, who, why;
};
base::Result<ReleaseInput> read_release(std::string_view body);

/// Value of a parameter of the query, decoded; empty when it is not there.
std::string query_parameter(std::string_view query, std::string_view name);

}  // namespace stillwatch::gateway
