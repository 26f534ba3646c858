#!/usr/bin/env bash
# Quality over seeds: simulates a world, replays it and evaluates, for each seed; prints a line each.
# Usage: bench/seeds.sh WORLD_FILE [SEEDS]     e.g. bench/seeds.sh worlds/reference.toml 5
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${STILLWATCH_BINARY:-build/release/stillwatch}
world=${1:?usage: bench/seeds.sh WORLD_FILE [SEEDS]}
seeds=${2:-5}
[ -x "$binary" ] || { echo "build first: make build" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/stillwatch-seeds-XXXXXX")
trap 'rm -rf "$folder"' EXIT
for seed in $(seq 1 "$seeds"); do
  rm -rf "${folder:?}/world" "$folder/out"
  "$binary" simulate --world="$world" --seed="$seed" --threads=1 --stream --out="$folder/world" \
    2> "$folder/simulate.log" |
    "$binary" replay - --accounts="$folder/world/accounts.ndjson" --out="$folder/out" --secret="$folder/secret" \
      --threads=1 --quiet > "$folder/replay.log"
  size=$(grep -o '^[0-9]* records ([0-9]* hostile)' "$folder/simulate.log" || true)
  echo "== $(basename "$world") seed $seed: $size"
  "$binary" evaluate --truth="$folder/world" --verdicts="$folder/out/verdicts.ndjson" |
    grep -E "prevented, requests|first alert|hostile accounts|honest accounts|campaigns|resellers" || true
done
