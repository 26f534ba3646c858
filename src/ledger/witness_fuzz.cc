// Any bytes as the body of add-checkpoint, for a witness that has cosigned a log before. Property: no crash; only the
// statuses of the specification; a cosignature only over a checkpoint that the log has signed.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "ledger/small_log_fixture.h"
#include "ledger/witness.h"

namespace {

using namespace stillwatch;

class MemoryStore final : public ledger::WitnessStore {
 public:
  base::Result<std::string> load(const std::string&) override { return note_; }
  base::Status replace(const std::string&, std::string_view expected, std::string_view note) override {
    STILLWATCH_ASSERT(note_ == expected);
    note_ = note;
    return {};
  }

 private:
  std::string note_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static ledger::SmallLog log("log.example/a", 1);
  if (log.size() == 0) log.grow(9);
  MemoryStore store;
  auto witness = ledger::Witness::create(
      std::make_unique<tlog::Ed25519Cosigner>("witness.example/w1", ledger::test_seed(9)), log.policy(), store);
  STILLWATCH_ASSERT(witness && (*witness)->add_checkpoint(log.request(0, 5), 1).status == 200);
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  const ledger::WitnessAnswer answer = (*witness)->add_checkpoint(body, 2);
  switch (answer.status) {
    case 200: {
      const auto request = tlog::AddCheckpoint::parse(body);
      STILLWATCH_ASSERT(request && tlog::open_checkpoint(request->checkpoint, log.key()));
      break;
    }
    case 409: STILLWATCH_ASSERT(answer.body == "5\n"); break;
    default:
      STILLWATCH_ASSERT(answer.status == 400 || answer.status == 403 || answer.status == 404 || answer.status == 422);
  }
  return 0;
}
