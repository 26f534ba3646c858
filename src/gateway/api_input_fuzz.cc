// Any bytes as the bodies and queries of the decision and admin APIs.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/api_input.h"
#include "ledger/vault_leaves.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::gateway;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  (void)read_check(text);
  (void)read_dry_run(text);
  (void)query_parameter(text, "account");
  if (const auto erasure = read_erasure(text)) {
    if (erasure->account.empty() || !stillwatch::ledger::is_leaf_text(erasure->why)) __builtin_trap();
  }
  if (const auto hold = read_hold(text)) {
    if (!stillwatch::ledger::is_leaf_text(hold->request.why)) __builtin_trap();
  }
  if (const auto release = read_release(text)) {
    if (release->name.empty()) __builtin_trap();
  }
  if (const auto override_ = read_override(text, 1)) {
    std::string line;
    stillwatch::policy::append_override_line(line, *override_);
    // What the API takes must read back from the state folder.
    if (const auto checked = stillwatch::policy::check_override(*override_); checked) {
      const auto again = stillwatch::policy::parse_override(std::string_view(line).substr(0, line.size() - 1));
      if (!again || !(*again == *override_)) __builtin_trap();
    }
  }
  return 0;
}
