#!/usr/bin/env bash
# Runs each libFuzzer binary for some seconds, from the corpus in tests/corpus; finds go to build/fuzz/found.
# Usage: tools/fuzz.sh SECONDS ["MODULE..."]     (no modules: all that have fuzzers)
set -euo pipefail

seconds=$1
modules=${2:-}
fuzzers=()
for source in src/*/*_fuzz.cc; do
  module=$(basename "$(dirname "$source")")
  [[ -n "$modules" && " $modules " != *" $module "* ]] || fuzzers+=("${module}_$(basename "$source" .cc)")
done
if [ ${#fuzzers[@]} -eq 0 ]; then
  echo "fuzz: no fuzzers in: $modules" >&2
  exit 2
fi
cmake --build build/fuzz -j "${JOBS:-$(nproc)}" --target "${fuzzers[@]}"
for fuzzer in "${fuzzers[@]}"; do
  mkdir -p "build/fuzz/found/$fuzzer"
  echo "== $fuzzer for $seconds s"
  "build/fuzz/$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$fuzzer-" "build/fuzz/found/$fuzzer" "tests/corpus/$fuzzer"
done
echo "fuzz: ${#fuzzers[@]} fuzzers, no crash. New inputs are in build/fuzz/found/."
