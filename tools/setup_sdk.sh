#!/usr/bin/env bash
# Installs the official clients that tests/sdk and the demo use, from tests/sdk/package-lock.json: Node and npm from
# section [sdk] of deploy/packages.txt when no usable ones are there, then `npm ci`.
# Quick and offline when both are there.
# Usage: tools/setup_sdk.sh
# Exit codes: 0 all there, 4 they cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

node_major_min=18   # Debian 12 has 18.20; the versions in the lock file run on it
folder=tests/sdk

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
log=$(mktemp -t stillwatch_setup_sdk.XXXXXX)
trap 'rm -f "$log"' EXIT
# No install scripts: none of these packages needs one.
if ! npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >"$log" 2>&1 </dev/null; then
  tail -n 15 "$log" >&2
  echo "setup: npm could not install $folder/package-lock.json; mend what it says above" >&2
  exit 4
fi
printf '%s\n' "$wanted" >"$stamp"
echo "setup: official API clients installed in $((SECONDS - started)) s"
