#!/usr/bin/env bash
# Streams a world of 28.8 million records, 5 % of them hostile, from the simulator into a replay, and prints time, peak
# memory and quality. With --full: the reference campaign whole, 28.8 million hostile records among 390 million.
# Usage: bench/reference.sh [--full] [WORLD_FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${STILLWATCH_BINARY:-build/release/stillwatch}
world=worlds/stream.toml
if [ "${1:-}" = --full ]; then world=worlds/full.toml; shift; fi
world=${1:-$world}
[ -x "$binary" ] || { echo "build first: make build" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/stillwatch-reference-XXXXXX")
trap 'rm -rf "$folder"' EXIT
cores=$(nproc)
echo "world $world, $cores cores, $("$binary" --version)"
begin=$(date +%s.%N)
# One core each: the simulator must not be what is measured.
half=$((cores > 1 ? cores / 2 : 1))
"$binary" simulate --world="$world" --seed=1 --threads=$half --stream --out="$folder/world" 2> "$folder/simulate.log" |
  /usr/bin/time -f '%e %U %S %M' -o "$folder/time" \
    "$binary" replay - --accounts="$folder/world/accounts.ndjson" --out="$folder/out" --secret="$folder/secret" \
      --threads=$half --quiet > "$folder/replay.log"
end=$(date +%s.%N)
grep records "$folder/simulate.log" || true
python3 - "$folder" "$begin" "$end" <<'PY'
import json, sys
folder, begin, end = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
wall, user, system, peak = open(folder + "/time").read().split()[-4:]
summary = json.load(open(folder + "/out/summary.json"))
records = summary["records"]
cpu = float(user) + float(system)
print(f"{records} records in {end - begin:.0f} s: {records / (end - begin):.0f} a second with the simulator beside it")
print(f"replay: {cpu:.0f} s of processor time, {records / cpu:.0f} records a second and core, "
      f"peak {int(peak) / 1024:.0f} MiB")
PY
"$binary" evaluate --truth="$folder/world" --verdicts="$folder/out/verdicts.ndjson"
