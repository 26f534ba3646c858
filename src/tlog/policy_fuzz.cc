// Any bytes as a witness policy. Property: what is read means the same when written, and more witnesses never make a
// quorum that was met unmet.
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "tlog/policy.h"

using namespace stillwatch::tlog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto policy = Policy::parse({reinterpret_cast<const char*>(bytes), size});
  if (!policy) return 0;
  const std::string text = policy->text();
  const auto again = Policy::parse(text);
  STILLWATCH_ASSERT(again && again->text() == text);
  std::vector<bool> cosigned(policy->witnesses.size(), false);
  bool was_met = policy->is_met_by(cosigned);
  STILLWATCH_ASSERT(was_met == !policy->quorum.has_value());
  for (std::size_t i = 0; i < cosigned.size(); ++i) {
    cosigned[i] = true;
    const bool is_met = policy->is_met_by(cosigned);
    STILLWATCH_ASSERT(is_met || !was_met);
    STILLWATCH_ASSERT(is_met == again->is_met_by(cosigned));
    was_met = is_met;
  }
  STILLWATCH_ASSERT(was_met);
  return 0;
}
