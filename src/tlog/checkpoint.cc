#include "tlog/checkpoint.h"

#include <algorithm>

#include <fmt/format.h>

#include "tlog/lines.h"

namespace stillwatch::tlog {
namespace {

tl::unexpected<base::Error> no_checkpoint(std::string_view what) {
  return base::fail(base::Fault::input, fmt::format("this is no checkpoint: {}", what));
}

}  // namespace

std::string checkpoint_text(const Checkpoint& checkpoint) {
  return fmt::format("{}\n{}\n{}\n{}", checkpoint.origin, checkpoint.size, hash_text(checkpoint.root),
                     checkpoint.extensions);
}

base::Result<Checkpoint> parse_checkpoint_text(std::string_view text) {
  Checkpoint checkpoint;
  std::string_view origin, size_text, root_text;
  if (!take_line(text, origin) || !take_line(text, size_text) || !take_line(text, root_text)) {
    return no_checkpoint("it has less than three lines");
  }
  if (origin.empty()) return no_checkpoint("its origin is empty");
  const auto size = parse_decimal(size_text);
  if (!size) return no_checkpoint("its size is not a plain number below 2^63");
  const auto root = parse_hash(root_text);
  if (!root) return no_checkpoint("its root is not base64 of 32 bytes");
  const std::string_view extensions = text;
  for (std::string_view line; !text.empty();) {
    if (!take_line(text, line)) return no_checkpoint("its last line does not end");
    if (line.empty()) return no_checkpoint("it has an empty line");
  }
  return Checkpoint{std::string(origin), *size, *root, std::string(extensions)};
}

base::Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const NoteSigner& signer) {
  const std::string text = checkpoint_text(checkpoint);
  STILLWATCH_CHECK(parse_checkpoint_text(text));
  if (checkpoint.size == 0 && checkpoint.root != empty_root()) {
    return base::fail(base::Fault::ours, "a log without entries has one root, and this is another");
  }
  STILLWATCH_TRY(signature, signer.sign(text));
  return format_note({text, {std::move(signature)}});
}

base::Result<Checkpoint> open_checkpoint(std::string_view note, const VerifierKey& log_key) {
  STILLWATCH_TRY(opened, open_note(note, {&log_key, 1}));
  STILLWATCH_TRY(checkpoint, parse_checkpoint_text(opened.text));
  if (checkpoint.origin != log_key.name) {
    return base::fail(base::Fault::check, fmt::format("the checkpoint is of another log than {}", log_key.name));
  }
  return checkpoint;
}

base::Result<Checkpoint> read_checkpoint_unchecked(std::string_view note) {
  STILLWATCH_TRY(parsed, parse_note(note));
  return parse_checkpoint_text(parsed.text);
}

base::Result<std::string> add_signatures(std::string_view note, std::span<const NoteSignature> signatures) {
  STILLWATCH_TRY(parsed, parse_note(note));
  for (const NoteSignature& added : signatures) {
    const auto same = std::ranges::find_if(
        parsed.signatures, [&](const NoteSignature& old) { return old.id == added.id && old.name == added.name; });
    if (same == parsed.signatures.end()) {
      parsed.signatures.push_back(added);
    } else {
      *same = added;
    }
  }
  std::string bytes = format_note(parsed);
  if (bytes.size() > kNoteBytesMax || parsed.signatures.size() > kNoteSignaturesMax) {
    return base::fail(base::Fault::caller, "the note would have more signatures than a reader takes: add fewer");
  }
  return bytes;
}

}  // namespace stillwatch::tlog
