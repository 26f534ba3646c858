#!/usr/bin/env bash
# The demo's part about the audit log: evidence of the campaign, checked by programs that are not ours; one decision
# made again; one customer erased, and every proof checked once more.
#   demo_evidence.sh BINARY WORLD REPORT LEDGER OUT
set -euo pipefail
binary=$1 world=$2 report=$3 ledger=$4 out=$5
logs=$(cd "$out/logs" && pwd)
case_folder=$out/case

say() { printf '%-10s  %s\n' "$1" "$2"; }
# Runs a command into a log; its failure is the demo's.
run() {
  local name=$1
  shift
  "$@" >"$logs/$name.txt" 2>"$logs/$name.errors.txt" || {
    tail -n 5 "$logs/$name.txt" "$logs/$name.errors.txt" >&2
    printf 'demo: this failed:\n  %s\n' "$*" >&2
    exit 1
  }
}
verify_bundle() {
  sed -n '/^```sh$/,/^```$/p' "$case_folder/VERIFY.md" | grep -v '^```' >"$logs/verify.sh"
  (cd "$case_folder" && env -i PATH=/usr/bin:/bin sh "$logs/verify.sh")
}

echo "Audit log: what the operator could not rewrite either"
echo
run export "$binary" ledger export --ledger="$ledger" --findings="$report" --case=c-000001 \
  --reason="the demo" --who="the demo" --requests-max=200 --out="$case_folder"
entries=$(find "$case_folder/entries" -name '*.bin' | wc -l)
say evidence "$entries entries of c-000001 with proofs: $case_folder/case.html"
if command -v go >/dev/null && [ -d /usr/share/gocode/src/golang.org/x/mod ]; then
  run verify_bundle verify_bundle
  say verified "by openssl, sha256sum and Go, with the commands of $case_folder/VERIFY.md"
else
  say verified "not here: VERIFY.md wants Go (golang-go, golang-golang-x-mod-dev)"
fi
decision=$(grep -ho '"k":"decision","t":[0-9]*,"id":"[^"]*"' "$case_folder"/entries/shard-*/*.bin | tail -n 1)
decision=${decision%\"}
decision=${decision##*\"}
run decision "$binary" ledger replay-decision "$decision" --ledger="$ledger" --log="$world/queries.ndjson.zst" \
  --accounts="$world/accounts.ndjson"
say decision "$decision made again from its inputs: $(sed -n 2p "$logs/decision.txt")"
account=$(tail -n 1 "$report/members.ndjson" | sed 's/.*"account":"\([^"]*\)".*/\1/')
run erase "$binary" ledger erase --ledger="$ledger" --account="$account" --reason="the demo" --who="the demo" \
  --lines="$world/queries.ndjson.zst" --lines="$world/accounts.ndjson"
say erased "customer $account: $(sed -n 's/^destroyed: //p' "$logs/erase.txt")"
run ledger_verify "$binary" ledger verify "$ledger"
count=$(grep -c ' entries, root ' "$logs/ledger_verify.txt" || true)
say "the log" "$count logs checked: $(tail -n 1 "$logs/ledger_verify.txt")"
if [ -f "$logs/verify.sh" ]; then
  run verify_again verify_bundle
  say "and still" "the bundle verifies: $(tail -n 1 "$logs/verify_again.txt")"
fi
echo
