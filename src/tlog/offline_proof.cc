#include "tlog/offline_proof.h"

#include <fmt/format.h>

#include "base/base64.h"
#include "tlog/lines.h"
#include "tlog/proof_lines.h"

namespace stillwatch::tlog {
namespace {

constexpr std::string_view kFirstLine = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ", kIndex = "index ";
constexpr std::size_t kHashesMax = 63;  // a path in the largest tree

tl::unexpected<base::Error> no_proof(std::string_view what) {
  return base::fail(base::Fault::input, fmt::format("this is no proof file: {}", what));
}

}  // namespace

base::Result<OfflineProof> OfflineProof::parse(std::string_view text) {
  if (text.size() > kOfflineProofBytesMax) return no_proof("it is too long");
  OfflineProof result;
  std::string_view line;
  if (!take_line(text, line) || line != kFirstLine) return no_proof("the first line is another than such a file has");
  if (!take_line(text, line)) return no_proof("it ends after the first line");
  if (line.starts_with(kExtra)) {
    const std::string_view encoded = line.substr(kExtra.size());
    if (encoded.size() > (kOfflineExtraBytesMax + 2) / 3 * 4) return no_proof("the extra data is too long");
    const auto bytes = base::base64_decode(encoded);
    if (!bytes || bytes->size() > kOfflineExtraBytesMax) return no_proof("the extra data is not base64");
    result.extra.emplace(bytes->begin(), bytes->end());
    if (!take_line(text, line)) return no_proof("it ends after the extra data");
  }
  const auto index = line.starts_with(kIndex) ? parse_decimal(line.substr(kIndex.size())) : std::nullopt;
  if (!index) return no_proof("it has no line with the index");
  result.index = *index;
  if (const auto wrong = read_proof(text, kHashesMax, result.proof, result.checkpoint)) return no_proof(*wrong);
  return result;
}

std::string OfflineProof::text() const {
  std::string text = fmt::format("{}\n", kFirstLine);
  if (extra) {
    text += fmt::format("{}{}\n", kExtra,
                        base::base64_encode({reinterpret_cast<const std::uint8_t*>(extra->data()), extra->size()}));
  }
  text += fmt::format("{}{}\n", kIndex, index);
  append_proof(text, proof, checkpoint);
  return text;
}

base::Result<Checkpoint> verify_offline(const OfflineProof& proof, const Hash& leaf, const VerifierKey& log_key) {
  STILLWATCH_TRY(checkpoint, open_checkpoint(proof.checkpoint, log_key));
  STILLWATCH_CHECK(verify_inclusion(proof.index, checkpoint.size, leaf, proof.proof, checkpoint.root));
  return checkpoint;
}

base::Result<WitnessedCheckpoint> verify_offline(const OfflineProof& proof, const Hash& leaf, const Policy& policy) {
  STILLWATCH_TRY(witnessed, open_witnessed(policy, proof.checkpoint));
  const Checkpoint& checkpoint = witnessed.checkpoint;
  STILLWATCH_CHECK(verify_inclusion(proof.index, checkpoint.size, leaf, proof.proof, checkpoint.root));
  if (!witnessed.quorum_met) {
    return base::fail(base::Fault::check,
                      fmt::format("{} witnesses cosigned the checkpoint, and they are not the quorum",
                                  witnessed.cosignatures.size()));
  }
  return witnessed;
}

}  // namespace stillwatch::tlog
