// Any bytes as a signed note, as signature lines, and as keys. Property: what is read is written back as the same
// bytes, and nothing that was not signed opens.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "tlog/note.h"

using namespace stillwatch::tlog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  static const VerifierKey known =
      *VerifierKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
  if (const auto note = parse_note(input)) {
    STILLWATCH_ASSERT(format_note(*note) == input);
    STILLWATCH_ASSERT(note->text.ends_with('\n') && !note->signatures.empty());
    for (const NoteSignature& signature : note->signatures) STILLWATCH_ASSERT(is_key_name(signature.name));
    if (const auto opened = open_note(input, {&known, 1})) {
      STILLWATCH_ASSERT(opened->text == "This is an example message.\n");
      STILLWATCH_ASSERT(!opened->signatures.empty());
    }
  }
  if (const auto lines = parse_signature_lines(input)) {
    std::string again;
    for (const NoteSignature& signature : *lines) again += format_signature(signature);
    STILLWATCH_ASSERT(again == input);
  }
  if (const auto key = VerifierKey::parse(input)) STILLWATCH_ASSERT(key->text() == input);
  (void)Ed25519NoteSigner::parse(input);
  (void)Ed25519NoteSigner::parse("PRIVATE+KEY+" + std::string(input));
  return 0;
}
