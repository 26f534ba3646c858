// VERIFY.md: what a stranger runs, with openssl, coreutils and the Go checker.
#include <fmt/format.h>

#include "report/evidence_words.h"

namespace stillwatch::report {
namespace {

std::string block(std::string_view commands) { return "```sh\n" + std::string(commands) + "```\n\n"; }

constexpr std::string_view kIntroduction = R"md(# How to verify this bundle

Nothing below is from the makers of the bundle but one Go file, which is in it to be read. You need a POSIX shell with
coreutils, `openssl`, and Go with `golang.org/x/mod` (on Debian 12: `apt-get install openssl golang-go
golang-golang-x-mod-dev`). Run the commands in this order in one shell, begun in the folder of this file; the shell ends
with an error at the first thing that does not hold. To run all of them:

    sed -n '/^```sh$/,/^```$/p' VERIFY.md | grep -v '^```' >../verify.sh && sh ../verify.sh

)md";

constexpr std::string_view kFiles = R"sh(set -eu
export LC_ALL=C
work=$(mktemp -d)
sed -n 's/^ {"path":"\([^"]*\)","bytes":[0-9]*,"sha256":"\([0-9a-f]*\)"},\{0,1\}$/\2  \1/p' manifest.json \
  >"$work/sums"
sha256sum --check --strict --quiet "$work/sums"
test "$(find . -type f ! -path ./manifest.json ! -path './export/*' | wc -l)" -eq "$(wc -l <"$work/sums")"
test "$(find . ! -type f ! -type d | wc -l)" -eq 0
)sh";

constexpr std::string_view kChecker =
    R"sh(GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$work/go" go build -o "$work/checker" checker/main.go
)sh";

// `prove` also binds the proof to the entry's number and to the very checkpoint that the other steps are about.
constexpr std::string_view kEntries =
    R"sh(key() { awk -v name="$1+" '$1 == "log" && index($2, name) == 1 { print $2 }' policy.txt; }
prove() {
  "$work/checker" -proof "$1" "$2" "$(key "$(head -n 1 "$3")")" >>"$work/proofs" || {
    tail -n 1 "$work/proofs"
    exit 1
  }
  sed '1,/^$/d' "$1" | cmp - "$3"
}
test "$(find entries -type f | wc -l)" -eq "$(find proofs -type f | wc -l)"
for note in checkpoint-*.txt; do
  log=${note#checkpoint-}
  log=${log%.txt}
  for entry in entries/"$log"/*.bin; do
    number=${entry##*/}
    number=${number%.bin}
    grep -qx "index $number" "proofs/$log/$number.tlog-proof"
    prove "proofs/$log/$number.tlog-proof" "$entry" "$note"
  done
done
)sh";

constexpr std::string_view kExport = R"sh(test "$(find export -type f | wc -l)" -eq 2
sed '1,/^$/d' export/entry.tlog-proof >"$work/export-checkpoint"
prove export/entry.tlog-proof export/entry.bin "$work/export-checkpoint"
hash=$(openssl dgst -sha256 -binary manifest.json | base64 | tr '+/' '-_' | tr -d '=')
grep -qF '"k":"export"' export/entry.bin
grep -qF "\"h\":\"$hash\"" export/entry.bin
)sh";

constexpr std::string_view kAnchorStart =
    R"sh(# anchored MANIFEST LEAF NOTE...: the leaf commits to the manifest, and the notes stand in it.
anchored() {
  m=$({ printf 'aud1 anchor\0'; cat "$1.salt" "$1.txt"; } | openssl dgst -sha256 -binary | base64)
  m=$(printf %s "$m" | tr '+/' '-_' | tr -d '=')
  grep -qF "\"m\":\"$m\"" "$2"
  sed '/^$/,$d' "$1.txt" >"$work/heads"
  shift 2
  for note in "$@"; do
    grep -qxF "$(sed -n 1p "$note") $(sed -n 2p "$note") $(sed -n 3p "$note")" "$work/heads"
  done
}
)sh";

constexpr std::string_view kSignature =
    R"sh(# A key is name+hash+base64, as in policy.txt; only its base64 may have further '+'.
name_of() { printf %s "${1%%+*}"; }
hash_of() { set -- "${1#*+}"; printf %s "${1%%+*}"; }
bytes_of() { set -- "${1#*+}"; printf %s "${1#*+}" | base64 -d; }
# verify KEY MESSAGE SIGNATURE: an Ed25519 signature.
verify() {
  {
    printf '\060\052\060\005\006\003\053\145\160\003\041\000'
    bytes_of "$1" | tail -c 32
  } >"$work/key"
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$2" -sigfile "$3" >"$work/answer"
}
# line NOTE NAME HASH: the signature of the key with this name and hash, without the hash.
line() {
  sed '1,/^$/d' "$1" | while read -r dash name blob; do
    test "$dash $name" = "— $2" || continue
    printf %s "$blob" | base64 -d >"$work/blob"
    test "$(head -c 4 "$work/blob" | od -An -v -tx1 | tr -d ' ')" = "$3" || continue
    tail -c +5 "$work/blob"
    break
  done
}
for note in checkpoint-*.txt; do
  key=$(key "$(head -n 1 "$note")")
  sed '/^$/,$d' "$note" >"$work/text"
  line "$note" "$(name_of "$key")" "$(hash_of "$key")" >"$work/signature"
  verify "$key" "$work/text" "$work/signature"
done
)sh";

constexpr std::string_view kWitnessStart =
    R"sh(# cosigned NOTE WITNESS: the witness signed the note's text with the time before it.
cosigned() {
  key=$(awk -v name="$2" '$1 == "witness" && $2 == name { print $3 }' policy.txt)
  line "$1" "$(name_of "$key")" "$(hash_of "$key")" >"$work/cosignature"
  seconds=$((0x$(head -c 8 "$work/cosignature" | od -An -v -tx1 | tr -d ' \n')))
  { printf 'cosignature/v1\ntime %s\n' "$seconds"; sed '/^$/,$d' "$1"; } >"$work/text"
  tail -c +9 "$work/cosignature" >"$work/signature"
  verify "$key" "$work/text" "$work/signature"
  echo "$2 saw it $(date -u -d "@$seconds" +%FT%TZ)"
}
)sh";

constexpr std::string_view kStampsStart =
    R"sh(# stamped STAMP LEAF: the authority signed that the note existed, and the leaf is under it.
stamped() {
  openssl ts -verify -data "$1.stamped.txt" -in "$1.tsr" -CAfile "$1.pem" >"$work/answer" 2>&1 || {
    cat "$work/answer"
    exit 1
  }
  prove "$1.tlog-proof" "$2" "$1.stamped.txt"
  openssl ts -reply -in "$1.tsr" -text 2>"$work/answer" | grep 'Time stamp:'
}
)sh";

constexpr std::string_view kPayloads = R"sh(for salt in payloads/*/*.salt; do
  path=${salt%.salt}
  openssl dgst -sha256 -binary "$path.bin" >"$work/plain"
  cp=$({ printf 'aud1 payload\0'; cat "$salt" "$work/plain"; } | openssl dgst -sha256 -binary | base64)
  cp=$(printf %s "$cp" | tr '+/' '-_' | tr -d '=')
  grep -qF "\"cp\":\"$cp\"" "entries/${path#payloads/}.bin"
done
)sh";

constexpr std::string_view kCustody = R"sh(before=$(printf '%064d' 0)
while IFS= read -r step; do
  case $step in
    *",\"prev\":\"$before\"}") ;;
    *) echo 'custody.jsonl: a line is missing or changed' >&2; exit 1 ;;
  esac
  before=$(printf %s "$step" | sha256sum | cut -c 1-64)
done <custody.jsonl
rm -r "$work"
echo 'everything holds'
)sh";

std::string anchor_step(const EvidenceInput& input) {
  std::string out = "## The logs are anchored\n\n";
  if (input.manifests.empty()) return out + "They are not: no anchor covers these checkpoints. See known-gaps.md.\n\n";
  std::string commands(kAnchorStart);
  for (const EvidenceManifest& manifest : input.manifests) {
    commands += fmt::format("anchored {} {}", manifest_path(manifest, ""), entry_path(manifest.anchor, manifest.index));
    for (const std::string& log : manifest.logs) commands += " " + checkpoint_path(log);
    commands += "\n";
  }
  return out +
         "The anchor log gets one leaf of fixed size every interval, whatever the traffic. The leaf commits to a list "
         "of the logs'\ncheckpoints: a file in `anchor`, with the salt beside it.\n\n" +
         block(commands);
}

std::string witness_step(const EvidenceInput& input) {
  std::string commands(kWitnessStart), out = "## Witnesses have seen the anchor log\n\n";
  bool is_any = false;
  for (const EvidenceLog& log : input.logs) {
    if (!log.is_anchor) continue;
    for (const Cosigner& cosigner : cosigners_of(input, log).list) {
      commands += fmt::format("cosigned {} {}\n", checkpoint_path(log.name), cosigner.name);
      is_any = true;
    }
  }
  if (!is_any) {
    return out +
           "None has, as far as this bundle goes. That nobody was shown another history then rests on the operator, "
           "and "
           "on\nwhoever keeps an older checkpoint.\n\n";
  }
  return out +
         "They are other organisations, which sign only what extends what they signed before. `policy.txt` has the "
         "rule "
         "how many\nof them are needed; get it from somewhere else than the operator too, and compare.\n\n" +
         block(commands);
}

std::string stamp_step(const EvidenceInput& input) {
  std::string commands(kStampsStart), out = "## Time stamps\n\n";
  if (input.stamps.empty())
    return out + "There are none: when a checkpoint existed rests on its witnesses, and on the operator's clock.\n\n";
  for (const EvidenceStamp& stamp : input.stamps)
    commands += fmt::format("stamped stamps/{} {}\n", stamp.name, entry_path(stamp.anchor, stamp.index));
  return out +
         "An authority outside has signed that the stamped checkpoint existed at its time, and with it everything "
         "under "
         "it. Compare\nthe `.pem` with the authority's own.\n\n" +
         block(commands);
}

}  // namespace

std::string verify_text(const EvidenceInput& input) {
  std::string out(kIntroduction);
  out += "## The files are those of the manifest\n\n" + block(kFiles);
  out += "## The checker\n\nAbout 200 lines over `golang.org/x/mod/sumdb`, which is Go's own code for such logs. ";
  if (input.checker_source.empty()) {
    out +=
        "Its source was not at hand when this\nbundle was made; put `tools/tlog_verify/main.go` of the stillwatch "
        "source into `../checker`.\n\n";
    std::string commands(kChecker);
    commands.replace(commands.find("checker/main.go"), 15, "../checker/main.go");
    out += block(commands);
  } else {
    out += "Read it, it is short.\n\n" + block(kChecker);
  }
  out +=
      "## Every entry is in its log\n\nA proof leads from the entry to the root that the log's key has signed. The "
      "keys are in `policy.txt`: compare them with\nthose that the operator publishes.\n\n" +
      block(kEntries);
  out += "## The bundle is the one that was logged\n\nWhen the bundle was made, its hash went into a log.\n\n" +
         block(kExport);
  out += anchor_step(input);
  out += "## Signatures, without Go\n\n" + block(kSignature);
  out += witness_step(input) + stamp_step(input);
  if (!input.payloads.empty()) {
    out += "## Opened contents are what the log committed to\n\n" + block(kPayloads);
  }
  out += "## The chain of custody is unbroken\n\n" + block(kCustody);
  return out + "What this shows and what it does not is in known-gaps.md and certification-902.md.\n";
}

}  // namespace stillwatch::report
