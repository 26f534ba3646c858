// VERIFY.md: what a stranger runs, with openssl, coreutils and the Go checker.
#include <fmt/format.h>

#include "report/evidence_words.h"
#include "tlog/cosignature.h"
#include "tlog/policy.h"

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
sed -n 's/^ {"path":"\([^"]*\)","bytes":[0-9]*,"sha256":"\([0-9a-f]*\)"},\{0,1\}$/\2  \1/p' manifest.json >"$work/sums"
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
  "$work/checker" -proof "$1" "$2" "$(key "$(head -n 1 "$3")")" >>"$work/proofs" || { tail -n 1 "$work/proofs"; exit 1; }
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

constexpr std::string_view kAnchor =
    R"sh(m=$({{ printf 'aud1 anchor\0'; cat anchor/salt.bin anchor/manifest.txt; }} | openssl dgst -sha256 -binary | base64)
m=$(printf %s "$m" | tr '+/' '-_' | tr -d '=')
grep -qF "\"m\":\"$m\"" "entries/{name}/{index}.bin"
for note in {notes}; do
  line="$(sed -n 1p "$note") $(sed -n 2p "$note") $(sed -n 3p "$note")"
  sed '/^$/,$d' anchor/manifest.txt | grep -qxF "$line"
done
)sh";

constexpr std::string_view kSignature = R"sh(# verify KEY MESSAGE SIGNATURE: an Ed25519 signature, KEY as in policy.txt.
verify() {
  { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; printf %s "${1##*+}" | base64 -d | tail -c 32; } >"$work/key"
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
  hash=${key%+*}
  sed '/^$/,$d' "$note" >"$work/text"
  line "$note" "${key%%+*}" "${hash##*+}" >"$work/signature"
  verify "$key" "$work/text" "$work/signature"
done
)sh";

constexpr std::string_view kWitnesses = R"sh(for witness in {witnesses}; do
  key=$(awk -v name="$witness" '$1 == "witness" && $2 == name {{ print $3 }}' policy.txt)
  hash=${{key%+*}}
  line checkpoint-{name}.txt "${{key%%+*}}" "${{hash##*+}}" >"$work/blob"
  seconds=$((0x$(head -c 8 "$work/blob" | od -An -v -tx1 | tr -d ' \n')))
  {{ printf 'cosignature/v1\ntime %s\n' "$seconds"; sed '/^$/,$d' checkpoint-{name}.txt; }} >"$work/text"
  tail -c +9 "$work/blob" >"$work/signature"
  verify "$key" "$work/text" "$work/signature"
  echo "$witness saw it $(date -u -d "@$seconds" +%FT%TZ)"
done
)sh";

constexpr std::string_view kStamps = R"sh(for reply in stamps/*.tsr; do
  stamp=${{reply%.tsr}}
  openssl ts -verify -data "$stamp.stamped.txt" -in "$reply" -CAfile "$stamp.pem" >"$work/answer" 2>&1 || {{
    cat "$work/answer"
    exit 1
  }}
  prove "$stamp.tlog-proof" "entries/{name}/{index}.bin" "$stamp.stamped.txt"
  openssl ts -reply -in "$reply" -text | grep 'Time stamp:'
done
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

/// Witnesses of the policy that cosigned the anchor's checkpoint.
std::vector<std::string> cosigners(const EvidenceInput& input) {
  std::vector<std::string> out;
  const auto policy = tlog::Policy::parse(input.policy);
  if (!policy || !input.anchor) return out;
  const auto seen = tlog::open_witnessed(*policy, input.anchor->checkpoint);
  if (!seen) return out;
  for (const auto& cosignature : seen->cosignatures) out.push_back(policy->witnesses[cosignature.witness].name);
  return out;
}

std::string anchor_steps(const EvidenceInput& input) {
  const EvidenceAnchor& anchor = *input.anchor;
  std::string notes;
  for (const EvidenceLog& log : input.logs) {
    if (log.is_anchored) notes += (notes.empty() ? "" : " ") + checkpoint_path(log.name);
  }
  std::string out =
      "## The logs are anchored\n\nThe anchor log got one leaf of fixed size every interval, whatever the traffic. Its "
      "leaf commits to a list of the\nlogs' checkpoints: `anchor/manifest.txt` with the salt beside it.\n\n";
  out += block(fmt::format(fmt::runtime(kAnchor), fmt::arg("name", anchor.name), fmt::arg("index", anchor.index),
                           fmt::arg("notes", notes)));
  return out;
}

std::string witness_step(const EvidenceInput& input) {
  std::string names;
  for (const std::string& name : cosigners(input)) names += (names.empty() ? "" : " ") + name;
  if (names.empty()) {
    return "No witness has cosigned this checkpoint. That nobody was shown another history then rests on the operator, "
           "and on\nwhoever keeps an older checkpoint.\n\n";
  }
  return "Witnesses are other organisations, which sign only what extends what they signed before. `policy.txt` has "
         "the "
         "rule how\nmany of them are needed; get it from somewhere else than the operator too, and compare.\n\n" +
         block(
             fmt::format(fmt::runtime(kWitnesses), fmt::arg("witnesses", names), fmt::arg("name", input.anchor->name)));
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
  if (input.anchor) {
    out += anchor_steps(input);
  } else {
    out += "## The logs are anchored\n\nThey are not: no anchor covers these checkpoints. See known-gaps.md.\n\n";
  }
  out += "## Signatures, without Go\n\n" + block(kSignature);
  if (input.anchor) out += witness_step(input);
  out += "## Time stamps\n\n";
  if (input.stamps.empty() || !input.anchor) {
    out +=
        "There are none: when the anchor's checkpoint existed rests on its witnesses and on the operator's clock.\n\n";
  } else {
    out +=
        "An authority outside has signed that the stamped checkpoint existed at its time, and with it everything "
        "under it. Compare\nthe `.pem` with the authority's own.\n\n" +
        block(fmt::format(fmt::runtime(kStamps), fmt::arg("name", input.anchor->name),
                          fmt::arg("index", input.anchor->index)));
  }
  if (!input.payloads.empty()) {
    out += "## Opened contents are what the log committed to\n\n" + block(kPayloads);
  }
  out += "## The chain of custody is unbroken\n\n" + block(kCustody);
  return out + "What this shows and what it does not is in known-gaps.md and certification-902.md.\n";
}

}  // namespace stillwatch::report
