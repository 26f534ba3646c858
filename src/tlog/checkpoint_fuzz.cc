// Any bytes as a checkpoint's text and as a signed one. Property: what is read is written back as the same bytes.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "tlog/checkpoint.h"
#include "tlog/tree.h"

using namespace stillwatch::tlog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  if (const auto checkpoint = parse_checkpoint_text(input)) {
    STILLWATCH_ASSERT(checkpoint_text(*checkpoint) == input);
    STILLWATCH_ASSERT(checkpoint->size <= kTreeSizeMax && !checkpoint->origin.empty());
  }
  static const VerifierKey known =
      *VerifierKey::parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx");
  if (const auto checkpoint = read_checkpoint_unchecked(input)) {
    STILLWATCH_ASSERT(input.starts_with(checkpoint_text(*checkpoint)));
  }
  if (const auto checkpoint = open_checkpoint(input, known)) STILLWATCH_ASSERT(checkpoint->origin == known.name);
  const NoteSignature line{"witness.example", 7, "signature"};
  if (const auto more = add_signatures(input, {&line, 1})) {
    STILLWATCH_ASSERT(parse_note(*more).has_value());
    STILLWATCH_ASSERT(*add_signatures(*more, {&line, 1}) == *more);
  }
  return 0;
}
