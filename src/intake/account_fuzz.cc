// Any bytes as an account record. Property: no crash, and an accepted record has an account and a time.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "intake/account_parser.h"
#include "intake/parser_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::intake;
  static const auto hash = test::fixed_hash();
  static AccountParser parser(hash);
  std::string padded(reinterpret_cast<const char*>(bytes), size);
  padded.append(kJsonPadding, '\0');
  stillwatch::event::AccountUpdate update;
  const auto refusal = parser.parse(std::string_view(padded).substr(0, size), update);
  STILLWATCH_ASSERT(refusal ||
                    (update.account != 0 && update.declared.size() <= stillwatch::base::limits::kDeclaredUsesMax));
  return 0;
}
