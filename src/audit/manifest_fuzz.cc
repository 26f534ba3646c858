// Any bytes as a file of manifests. Property: no crash; records are within the bytes, in order, and none is empty.
#include <cstdint>
#include <string>

#include "audit/manifest_store.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch;
  std::size_t records = 0;
  const std::size_t end = audit::scan_manifest_file(
      {reinterpret_cast<const char*>(bytes), size}, [&](std::uint64_t, const audit::Manifest& manifest) {
        STILLWATCH_ASSERT(!manifest.text.empty() && manifest.text.size() <= size);
        ++records;
        return true;
      });
  STILLWATCH_ASSERT(end <= size && records * 44 <= end);
  return 0;
}
