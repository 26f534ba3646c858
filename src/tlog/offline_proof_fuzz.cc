// Any bytes as a proof file. Property: what is read is written back as the same bytes, and only the entry that the log
// has is proved.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "tlog/offline_proof.h"

using namespace stillwatch::tlog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  static const VerifierKey known =
      *VerifierKey::parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx");
  static const Hash entry = leaf_hash("one"), other = leaf_hash("no entry");
  const auto proof = OfflineProof::parse(input);
  if (!proof) return 0;
  STILLWATCH_ASSERT(proof->text() == input);
  if (verify_offline(*proof, entry, known)) STILLWATCH_ASSERT(proof->index == 0);
  STILLWATCH_ASSERT(!verify_offline(*proof, other, known));
  return 0;
}
