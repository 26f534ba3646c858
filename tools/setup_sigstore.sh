#!/usr/bin/env bash
# Installs Sigstore's verifier, which one test of the audit log uses, from tests/ledger/sigstore/package-lock.json: Node
# and npm from section [sdk] of deploy/packages.txt when none are there, then `npm ci`. Quick and offline when it is
# there. Usage: tools/setup_sigstore.sh
# Exit codes: 0 there, 4 it cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=tests/ledger/sigstore
command -v node npm >/dev/null || tools/setup.sh sdk

# Written last, so that an interrupted installation is done again.
stamp=$folder/node_modules/.installed
wanted="$(sha256sum "$folder/package.json" "$folder/package-lock.json")"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi
log=$(mktemp -t stillwatch_setup_sigstore.XXXXXX)
trap 'rm -f "$log"' EXIT
# No install scripts: none of these packages needs one.
if ! npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >"$log" 2>&1 </dev/null; then
  tail -n 15 "$log" >&2
  echo "setup: npm could not install $folder/package-lock.json; mend what it says above" >&2
  exit 4
fi
printf '%s\n' "$wanted" >"$stamp"
