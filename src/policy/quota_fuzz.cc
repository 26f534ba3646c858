// Any bytes as saved quotas. Properties: no crash; what loads can be used, and saves to what loads again equal.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "policy/quota.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::policy;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  constexpr std::int64_t kNow = 1'776'845'730'000'000;
  Quota quota;
  if (!quota.load(text, kNow)) return 0;
  const QuotaScope scopes[] = {{ScopeKind::account, 1, {10, 100, 1'000, 1}}, {ScopeKind::key, 2, {10, 100, 1'000, 1}}};
  if (auto reserved = quota.reserve(scopes, {1, 5, true}, kNow)) quota.settle(std::move(*reserved), 3, kNow + 1);
  const std::string state = quota.save(kNow + 2, true);
  Quota other;
  STILLWATCH_ASSERT(other.load(state, kNow + 2).has_value());
  STILLWATCH_ASSERT(other.save(kNow + 2, true) == state);
  return 0;
}
