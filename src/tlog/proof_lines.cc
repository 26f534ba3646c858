#include "tlog/proof_lines.h"

#include "tlog/lines.h"
#include "tlog/note.h"

namespace stillwatch::tlog {

std::optional<std::string_view> read_proof(std::string_view text, std::size_t hashes_max, Proof& proof,
                                           std::string& checkpoint) {
  std::string_view line;
  for (;;) {
    if (!take_line(text, line)) return "no empty line stands before the checkpoint";
    if (line.empty()) break;
    const auto hash = parse_hash(line);
    if (!hash) return "a line of the proof is not base64 of 32 bytes";
    if (proof.size() == hashes_max) return "it has too many hashes";
    proof.push_back(*hash);
  }
  if (text.empty() || text.size() > kNoteBytesMax) return "the checkpoint is missing or too long";
  checkpoint = text;
  return std::nullopt;
}

void append_proof(std::string& text, const Proof& proof, std::string_view checkpoint) {
  for (const Hash& hash : proof) text += hash_text(hash) + "\n";
  text += '\n';
  text += checkpoint;
}

}  // namespace stillwatch::tlog
