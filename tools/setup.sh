#!/usr/bin/env bash
# Installs the Debian packages of one section of deploy/packages.txt that are missing; quick when none is.
# Usage: tools/setup.sh [SECTION]     (default: build)
# Works as root or through sudo. Exit codes: 0 all there, 2 unknown section, 4 the packages cannot be installed.
set -euo pipefail

section=${1:-build}
list="$(dirname "$0")/../deploy/packages.txt"
mapfile -t packages < <(awk -v section="[$section]" \
  '/^\[/ {inside = ($0 == section); next} inside && NF && !/^#/' "$list")
if [ ${#packages[@]} -eq 0 ]; then
  echo "setup: no section [$section] in deploy/packages.txt" >&2
  exit 2
fi
if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is not a Debian system. Install what these Debian packages hold, then run make with SETUP=no:" >&2
  echo "  ${packages[*]}" >&2
  exit 4
fi

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null |
    sed -n 's/^installed //p' || true)
  comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(sort -u <<<"$installed")
}

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

install_line="apt-get install -y --no-install-recommends ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: packages are missing (${#missing[@]}), you are not root, and sudo is not there." >&2
    printf 'Have an administrator run:\n  %s\n' "$install_line" >&2
    exit 4
  fi
  as_root=(sudo)
  [ -t 0 ] || as_root=(sudo -n)   # nobody is there to type a password
fi
as_root+=(env DEBIAN_FRONTEND=noninteractive)

echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
log=$(mktemp -t stillwatch_setup.XXXXXX)
trap 'rm -f "$log"' EXIT
lock=(-o DPkg::Lock::Timeout=300)
apt() { "${as_root[@]}" apt-get -qq "${lock[@]}" "$@" >>"$log" 2>&1 </dev/null; }
# A broken third-party source must not stop us: what counts is whether the packages can be had.
apt update || echo "setup: apt-get update failed in part; trying with the lists that are there" >&2
if ! apt install -y --no-install-recommends "${missing[@]}"; then
  tail -n 15 "$log" >&2
  echo "setup: apt-get could not install the packages. Mend what it says above, or have an administrator run:" >&2
  echo "  $install_line" >&2
  exit 4
fi
echo "setup: done in ${SECONDS} s"
