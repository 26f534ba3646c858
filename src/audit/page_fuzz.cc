// Any bytes as the target of a request. Property: no crash; an answer is one of the statuses that there are, and bytes
// that are served belong to the one log of the audience.
#include <cstdint>
#include <string>

#include "audit/anchor_writer.h"
#include "audit/audit_fixture.h"
#include "audit/page_book.h"
#include "base/assert.h"

namespace {

using namespace stillwatch;

/// An anchor log of three leaves; a shard's folder and a seed that nobody may have.
class Ledger {
 public:
  Ledger() {
    auto writer = audit::AnchorWriter::open({folder_.path(), "audit.example", "", ""}, audit::kStartMs / 1'000);
    STILLWATCH_ASSERT(writer.has_value());
    for (int i = 0; i < 3; ++i) STILLWATCH_ASSERT(writer->append(audit::kStartMs / 1'000, {}, {}).has_value());
  }
  const std::string& folder() const { return folder_.path(); }

 private:
  audit::ScratchFolder folder_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Ledger ledger;
  audit::Counters counters;
  audit::PageBook book(ledger.folder(), "audit.example", audit::Audience::everyone, counters);
  const std::string target(reinterpret_cast<const char*>(bytes), size);
  const audit::Page page = book.answer("GET", target, 0);
  STILLWATCH_ASSERT(page.status == 200 || page.status == 400 || page.status == 404);
  if (page.status != 200) return 0;
  STILLWATCH_ASSERT(target == "/healthz" || target.starts_with("/anchor/2026/") || target.starts_with("/v1/proof?"));
  STILLWATCH_ASSERT(page.body.find("PRIVATE") == std::string::npos);
  return 0;
}
