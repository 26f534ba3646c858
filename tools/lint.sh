#!/usr/bin/env bash
# clang-tidy over the C++ files that differ from a commit (or all), with a configuration of its own:
# clang reads neither g++'s precompiled headers nor all of its flags.
# Usage: tools/lint.sh COMMIT|all
set -euo pipefail

base=${1:-all}
folder=build/lint
mkdir -p build
cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++-14 \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >build/configure-lint.log 2>&1 ||
  { tail -n 30 build/configure-lint.log; exit 1; }

changed() {
  if [ "$base" = all ]; then
    git ls-files src tests
  else
    git diff --name-only --diff-filter=d "$base" -- src tests
    git ls-files --others --exclude-standard src tests
  fi | sort -u
}
# A header is checked through the .cc beside it.
mapfile -t files < <(changed | sed -n -E 's/\.h$/.cc/; /\.cc$/p' | sort -u |
  while read -r file; do [ ! -e "$file" ] || echo "$file"; done)
if [ ${#files[@]} -eq 0 ]; then
  echo "lint: no C++ file differs from $base"
  exit 0
fi
echo "lint: ${#files[@]} files that differ from $base"
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy-14 -p "$folder" --quiet --warnings-as-errors='*'
echo "lint: clean"
