#!/usr/bin/env bash
# Builds and runs tests and corpus runs in a sanitizer's build folder.
# Usage: tools/sanitize.sh asan|tsan ["MODULE..."]     (no modules: everything)
set -euo pipefail

preset=$1
suites=${2:-}
folder=build/$preset
jobs=${JOBS:-$(nproc)}
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}

if [ -z "$suites" ]; then
  cmake --build "$folder" -j "$jobs"
  ctest --test-dir "$folder" -j "$jobs" --output-on-failure --no-tests=error
  exit
fi

targets=()
for module in $suites; do
  ! compgen -G "src/$module/*_test.cc" >/dev/null || targets+=("${module}_test")
  for fuzzer in src/"$module"/*_fuzz.cc; do
    [ ! -e "$fuzzer" ] || targets+=("${module}_$(basename "$fuzzer" .cc)")
  done
done
if [ ${#targets[@]} -eq 0 ]; then
  echo "sanitize: no tests in: $suites" >&2
  exit 2
fi
cmake --build "$folder" -j "$jobs" --target "${targets[@]}"
modules=${suites// /|}
# Scripts want programs of their own; they run with all.
ctest --test-dir "$folder" -j "$jobs" --output-on-failure --no-tests=error -LE '^script$' \
  -R "^(($modules)\\.|fuzz\\.($modules)_)"
