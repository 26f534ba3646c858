#!/usr/bin/env bash
# A small month with one hidden campaign: simulate it, replay the log as a provider would, judge the result
# against the truth, and say what was found. Then the same live: the gateway before a simulated model server, and the
# official API clients. Everything it writes goes to out/demo.
#   STILLWATCH=FILE   another binary    OUT=DIR   another folder    LIVE=no   without the live part
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${STILLWATCH:-build/release/stillwatch}
out=${OUT:-out/demo}
live=${LIVE:-yes}
world_file=worlds/demo.toml
for file in "$binary" "$world_file"; do
  if [ ! -f "$file" ]; then
    echo "demo: $file is not there; run \`make demo\` from the top of the checkout" >&2
    exit 4
  fi
done

# Only what an earlier demo wrote is removed.
rm -rf "$out/world" "$out/report" "$out/logs" "$out/ledger" "$out/case"
mkdir -p "$out/logs"

# Output goes to a log, progress (standard error) to the terminal, if there is one.
step() {
  local name=$1 what=$2 started=$SECONDS code=0
  shift 2
  printf '%-9s %s ...\n' "$name" "$what"
  if [ -t 2 ]; then
    "$@" >"$out/logs/$name.txt" || code=$?
  else
    "$@" >"$out/logs/$name.txt" 2>"$out/logs/$name.errors.txt" || code=$?
  fi
  if [ "$code" -ne 0 ]; then
    tail -n 20 "$out/logs/$name.txt" >&2
    [ ! -e "$out/logs/$name.errors.txt" ] || tail -n 20 "$out/logs/$name.errors.txt" >&2
    printf 'demo: this failed with exit code %d:\n  %s\n' "$code" "$*" >&2
    exit "$code"
  fi
  printf '%-9s done in %d s\n' "" $((SECONDS - started))
}

world=$out/world
report=$out/report
step simulate "a month of API traffic with one hidden campaign" \
  "$binary" simulate --world="$world_file" --seed=1 --out="$world"
ledger=$out/ledger
step replay "reading the log in event time, looking for campaigns, every step in an audit log" \
  "$binary" replay "$world/queries.ndjson.zst" --accounts="$world/accounts.ndjson" --out="$report" --truth="$world" \
  --ledger="$ledger"
step evaluate "comparing the verdicts with the truth" \
  "$binary" evaluate --truth="$world" --verdicts="$report/verdicts.ndjson"

echo
python3 tools/demo_summary.py "$world" "$report"
cat <<END

Report      $report/report.html   (open it in a browser)
Evaluation  $out/logs/evaluate.txt
Why         $binary explain --out=$report c-000001

END

tools/demo_evidence.sh "$binary" "$world" "$report" "$ledger" "$out"

# Without Node and the clients (tools/setup_npm.sh tests/sdk) the rest of the demo stands by itself.
code=0
if [ "$live" = no ]; then
  echo "Live        left out, as LIVE=no says"
elif ! command -v node >/dev/null || [ ! -f tests/sdk/node_modules/.installed ]; then
  echo "Live        left out: the official API clients are not installed; see tools/setup_npm.sh tests/sdk"
else
  printf '%s\n\n' "Now live, in about a minute, with remedies on."
  node tests/sdk/demo/live.mjs --binary="$binary" --world=worlds/demo_live.toml --seed=1 --out="$out/live" || code=$?
fi
printf '\nTook        %d s\n' "$SECONDS"
exit "$code"
