// The texts of an evidence bundle: how to verify it, what the process was, what is missing.
//
// Invariant: every command of VERIFY.md runs with a POSIX shell, coreutils, openssl and the Go checker, none with
// stillwatch; a step that has nothing to check is left out and said to be missing. No text claims more than
// docs/operate/evidence.md does. Threads: pure functions. Cost: a few kilobytes of text.
#pragma once

#include <string>
#include <vector>

#include "report/evidence.h"

namespace stillwatch::report {

/// VERIFY.md: its ```sh blocks, run in order in one shell, end with status 0 only when everything holds.
std::string verify_text(const EvidenceInput& input);
/// certification-902.md: a draft for a qualified person.
std::string certification_text(const EvidenceInput& input);
/// known-gaps.md.
std::string known_gaps_text(const EvidenceInput& input);
/// custody.jsonl: each line has the SHA-256 of the line before.
std::string custody_text(const EvidenceInput& input);

/// Where a file of the bundle lies.
std::string checkpoint_path(const std::string& log);
std::string entry_path(const std::string& log, std::uint64_t index);
std::string proof_path(const std::string& log, std::uint64_t index);
std::string manifest_path(const EvidenceManifest& manifest, std::string_view ending);

/// Who of the policy's witnesses cosigned a checkpoint, and when.
struct Cosigner {
  std::string name;
  std::int64_t time_ms = 0;
};
struct Cosigners {
  std::vector<Cosigner> list;
  bool is_quorum_met = false;
};
Cosigners cosigners_of(const EvidenceInput& input, const EvidenceLog& anchor);

/// Text in a line of Markdown: no markup, no control bytes, no line ends.
std::string markdown(std::string_view bytes);
/// Of a cosignature, whose witness may have written any time into it: the last that has a text, for later ones.
std::int64_t cosigned_ms(std::uint64_t unix_s);
/// "2026-11-28T06:00:00Z".
std::string time_text(std::int64_t time_ms);
std::string hexadecimal(std::string_view bytes);

}  // namespace stillwatch::report
