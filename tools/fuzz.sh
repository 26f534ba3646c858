#!/usr/bin/env bash
# Runs each libFuzzer binary for some seconds, from the corpus in tests/corpus; finds go to build/fuzz/found.
# Usage: tools/fuzz.sh SECONDS
set -euo pipefail

seconds=$1
cmake --build build/fuzz -j "${JOBS:-$(nproc)}"
mkdir -p build/fuzz/found
count=0
for source in src/*/*_fuzz.cc; do
  [ -e "$source" ] || continue
  fuzzer=$(basename "$(dirname "$source")")_$(basename "$source" .cc)
  mkdir -p "build/fuzz/found/$fuzzer"
  echo "== $fuzzer for $seconds s"
  "build/fuzz/$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$fuzzer-" "build/fuzz/found/$fuzzer" "tests/corpus/$fuzzer"
  count=$((count + 1))
done
echo "fuzz: $count fuzzers, no crash. New inputs are in build/fuzz/found/."
