// Any bytes as a file of overrides. Properties: a line that is read is sound and reads back equal when written; a book
// that loads holds what its own lines give; one that does not is left as it was.
#include <cstdint>

#include "base/assert.h"
#include "base/random.h"
#include "policy/override.h"

namespace {

using namespace stillwatch::policy;

stillwatch::base::Token token_of(std::string_view account, std::string_view end_user) {
  stillwatch::base::Token token = account.size() + 1;
  for (const char byte : account) token = stillwatch::base::mix64(token + static_cast<unsigned char>(byte));
  for (const char byte : end_user) token = stillwatch::base::mix64(token ^ static_cast<unsigned char>(byte));
  return token;
}

void check_line(std::string_view line) {
  const auto parsed = parse_override(line);
  if (!parsed) {
    STILLWATCH_ASSERT(!parsed.error().message.empty() && parsed.error().message.size() < 300);
    return;
  }
  STILLWATCH_ASSERT(check_override(*parsed).has_value());
  std::string written;
  append_override_line(written, *parsed);
  const auto again = parse_override(written);
  STILLWATCH_ASSERT(again.has_value() && *again == *parsed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check_line(text.substr(0, text.find('\n')));
  OverrideBook book;
  if (book.load(text, token_of, 0)) {
    const std::string lines = book.lines(0);
    OverrideBook other;
    STILLWATCH_ASSERT(other.load(lines, token_of, 0).has_value());
    STILLWATCH_ASSERT(other.lines(0) == lines);
  } else {
    STILLWATCH_ASSERT(book.size() == 0);
  }
  return 0;
}
