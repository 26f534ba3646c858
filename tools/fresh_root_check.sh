#!/usr/bin/env bash
# Proves the README on a fresh machine: makes a minimal Debian 12 root, clones the last commit into it and runs
# make targets there; or verifies an evidence bundle there, with what its VERIFY.md names and nothing else. Needs root
# and debootstrap (tools/setup.sh fresh-root).
# Usage: tools/fresh_root_check.sh [TARGET...]     (default: demo test)
#        tools/fresh_root_check.sh --bundle=FOLDER (one that `stillwatch ledger export` made)
#   FRESH_ROOT=DIR   make the root there and keep it (default: a temporary folder, removed at the end)
#   FRESH_DEBS=DIR   keep downloaded packages there for the next run
set -euo pipefail

suite=bookworm
bundle=""
if [ "${1#--bundle=}" != "${1:-}" ]; then
  bundle=$(realpath "${1#--bundle=}")
  [ -f "$bundle/VERIFY.md" ] || { echo "fresh root: $bundle has no VERIFY.md" >&2; exit 2; }
  shift
  [ $# -eq 0 ] || { echo "fresh root: targets or a bundle, not both" >&2; exit 2; }
fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(demo test)
repository=$(cd "$(dirname "$0")/.." && pwd)
if [ "$(id -u)" -ne 0 ]; then
  echo "fresh root: debootstrap, chroot and mount need root" >&2
  exit 4
fi
command -v debootstrap >/dev/null || "$repository/tools/setup.sh" fresh-root

# The mirror is the one that this machine's own apt uses for the suite.
# shellcheck disable=SC2016  # the format is apt's
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk -v suite="$suite" '$1 == suite && $2 == "main" {print $3; exit}')
if [ -z "$mirror" ]; then
  echo "fresh root: this machine's apt has no source for $suite main; add one and try again" >&2
  exit 4
fi

root=${FRESH_ROOT:-}
keep=$root
if [ -z "$root" ]; then
  root=$(mktemp -d -t stillwatch_root.XXXXXX)
elif [ -e "$root" ] && [ -n "$(ls -A "$root")" ]; then
  echo "fresh root: $root is not empty; remove it or name another" >&2
  exit 2
fi
finish() {
  local code=$? point
  for point in proc dev; do
    ! mountpoint -q "$root/$point" || umount -l "$root/$point" || true
  done
  # --one-file-system: should a mount have stayed, nothing behind it is touched.
  [ -z "${FRESH_DEBS:-}" ] || cp -n "$root"/var/cache/apt/archives/*.deb "$FRESH_DEBS"/ 2>/dev/null || true
  [ -n "$keep" ] || rm -rf --one-file-system "$root"
  [ "$code" -eq 0 ] || echo "fresh root: FAILED with exit code $code after $SECONDS s" >&2
}
trap finish EXIT
step() { printf '== %4d s  %s\n' "$SECONDS" "$*"; }

step "minimal Debian 12"
options=(--variant=minbase --include=ca-certificates)
if [ -n "${FRESH_DEBS:-}" ]; then
  mkdir -p "$FRESH_DEBS"
  options+=("--cache-dir=$(realpath "$FRESH_DEBS")")
fi
debootstrap "${options[@]}" "$suite" "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 4; }
rm -f "$root.log"
# The way to the network is this machine's: name servers, and the proxy of apt if there is one.
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
apt-config dump | grep -E '^Acquire::(https?|ftp)::Proxy' >"$root/etc/apt/apt.conf.d/90proxy" || true
if [ -n "${FRESH_DEBS:-}" ]; then
  cp -n "$FRESH_DEBS"/*.deb "$root/var/cache/apt/archives/" 2>/dev/null || true
  echo 'Binary::apt-get::APT::Keep-Downloaded-Packages "true";' >"$root/etc/apt/apt.conf.d/91keep"
fi
# A host that could start services here would only disturb itself.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"

# The same for npm: what this machine trusts, where a proxy of its own stands before the registry.
authorities=/etc/ssl/certs/ca-certificates.crt
[ ! -f "$authorities" ] || cp -L "$authorities" "$root/etc/ssl/certs/host-ca-certificates.crt"

inside() {
  chroot "$root" /usr/bin/env -i HOME=/srv TERM=dumb LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    npm_config_cafile=/etc/ssl/certs/host-ca-certificates.crt \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@" </dev/null
}

install() {
  local command="DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $*"
  inside sh -c "apt-get -qq update && $command" \
    >"$root/srv/tools.log" 2>&1 || { tail -n 20 "$root/srv/tools.log" >&2; exit 4; }
}

if [ -n "$bundle" ]; then
  # Its own words say what a verifier must install: `apt-get install a b c`, perhaps over two lines.
  # shellcheck disable=SC2016  # the backquotes are the document's
  packages=$(tr '\n' ' ' <"$bundle/VERIFY.md" | sed -n 's/.*`apt-get install \([a-z0-9. -]*\)`.*/\1/p')
  [ -n "$packages" ] || { echo "fresh root: VERIFY.md names no packages" >&2; exit 1; }
  step "what VERIFY.md asks for: $packages"
  install "$packages"
  ! inside sh -c 'command -v stillwatch' >/dev/null || { echo "fresh root: stillwatch is there" >&2; exit 1; }
  cp -R "$bundle" "$root/srv/bundle"
  step "VERIFY.md of $(find "$bundle/entries" -type f | wc -l) entries"
  # As it says itself.
  inside sh -c "cd /srv/bundle && sed -n '/^\`\`\`sh\$/,/^\`\`\`\$/p' VERIFY.md | grep -v '^\`\`\`' >../verify.sh &&
    sh ../verify.sh"
  step "one bit of an entry changed"
  entry=$(find "$root/srv/bundle/entries" -type f | LC_ALL=C sort | tail -n 1)
  byte=$(dd if="$entry" bs=1 skip=40 count=1 status=none | od -An -tu1)
  printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$entry" bs=1 seek=40 conv=notrunc status=none
  # shellcheck disable=SC2310  # it is to fail
  if inside sh -c 'cd /srv/bundle && sh ../verify.sh' >"$root/srv/changed.log" 2>&1; then
    echo "fresh root: a changed entry was accepted" >&2
    exit 1
  fi
  tail -n 1 "$root/srv/changed.log"
  step "done: the bundle holds, and no longer when it is changed"
  exit 0
fi

step "git and make, as the README asks"
install git make
step "clone of $(git -C "$repository" log -1 --format='%h %s')"
git clone --quiet --no-hardlinks "$repository" "$root/srv/stillwatch"
for target in "${targets[@]}"; do
  step "make $target"
  inside make -C /srv/stillwatch "$target"
done
step "done: ${targets[*]}"
