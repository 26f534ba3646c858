// Any bytes as what a log sends a witness, and as its answer. Property: what is read is written back as the same bytes.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "tlog/add_checkpoint.h"
#include "tlog/checkpoint.h"

using namespace stillwatch::tlog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  if (const auto request = AddCheckpoint::parse(input)) {
    STILLWATCH_ASSERT(request->text() == input);
    STILLWATCH_ASSERT(request->proof.size() <= kAddCheckpointProofMax && request->old_size <= kTreeSizeMax);
    if (const auto checkpoint = read_checkpoint_unchecked(request->checkpoint)) {
      (void)verify_consistency(request->old_size, checkpoint->size, leaf_hash("old"), checkpoint->root, request->proof);
    }
  }
  if (const auto old_size = parse_witness_size(input)) STILLWATCH_ASSERT(witness_size_text(*old_size) == input);
  return 0;
}
