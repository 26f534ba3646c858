#!/usr/bin/env bash
# Installs what a folder's package-lock.json names: Node and npm from section [sdk] of deploy/packages.txt when no
# usable ones are there, then `npm ci`. Quick and offline when all is there.
#   tests/sdk              the official API clients, for the tests there and the demo
#   tests/ledger/sigstore  Sigstore's verifier, for a test of the audit log
# Usage: tools/setup_npm.sh FOLDER
# Exit codes: 0 all there, 2 no such folder, 4 it cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-}
if [ $# -ne 1 ] || [ ! -f "$folder/package-lock.json" ]; then
  echo "Usage: tools/setup_npm.sh FOLDER, of one that has a package-lock.json (tests/sdk, tests/ledger/sigstore)" >&2
  exit 2
fi
node_major_min=18   # Debian 12 has 18.20; the versions in the lock files run on it

usable() {
  command -v node npm >/dev/null &&
    [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge "$node_major_min" ]
}

# A machine may have another Node than Debian's, which brings its own npm: that is as good.
usable || tools/setup.sh sdk
if ! usable; then
  echo "setup: Node $node_major_min or newer and npm are needed; $(command -v node || echo node) is not that" >&2
  exit 4
fi

# Written last, so that an interrupted installation is done again.
stamp=$folder/node_modules/.installed
wanted="$(sha256sum "$folder/package.json" "$folder/package-lock.json")"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi
started=$SECONDS
log=$(mktemp -t stillwatch_setup_npm.XXXXXX)
trap 'rm -f "$log"' EXIT
# No install scripts: none of these packages needs one.
if ! npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >"$log" 2>&1 </dev/null; then
  tail -n 15 "$log" >&2
  echo "setup: npm could not install $folder/package-lock.json; mend what it says above" >&2
  exit 4
fi
printf '%s\n' "$wanted" >"$stamp"
echo "setup: $folder/package-lock.json installed in $((SECONDS - started)) s"
