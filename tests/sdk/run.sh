#!/usr/bin/env bash
# Runs test files of this folder with node's own runner. Usage: tests/sdk/run.sh FILE...
# Exit codes: 77 (skipped, as ctest understands it) when Node or the clients are not there: tools/setup_npm.sh tests/sdk
# installs them; else those of node.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v node >/dev/null || [ ! -f node_modules/.installed ]; then
  echo "skipped: the official clients are not installed; run tools/setup_npm.sh tests/sdk" >&2
  exit 77
fi
# The clients read these: no test may depend on, or talk to, what is set outside.
for name in $(compgen -e | grep -E '^(OPENAI|ANTHROPIC)_' || true); do unset "$name"; done
# Files are named: what a folder means to --test differs between versions of Node.
exec node --test "$@"
