# shellcheck shell=bash
# What the scripts share. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/provisor-test

# shellcheck source=tests/versions.env
source "$root/tests/versions.env"

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# seconds_since START, where START was $EPOCHREALTIME
seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", to - from }'; }

# need COMMAND PACKAGE...: installs Debian packages where a command is missing. Only what the release itself offers.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null 2>&1 && return
  install_packages "$@"
  hash -r
  command -v "$command" >/dev/null 2>&1 || die "\`$command\` is still missing after installing: $*"
}

install_packages() {
  command -v apt-get >/dev/null 2>&1 || die "please install: $*"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "please install: $*"
    as_root=(sudo)
  fi
  say "installing Debian packages: $*"
  local attempt
  for attempt in 1 2 3; do
    "${as_root[@]}" apt-get update -q -o DPkg::Lock::Timeout=600 >&2 &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >&2 &&
      return
    say "attempt $attempt to install failed: $*"
    sleep 10
  done
  die "could not install: $*"
}

# retry COMMAND...: three times, for what needs the network.
retry() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return
    say "attempt $attempt failed: $1"
    [ "$attempt" -eq 3 ] || sleep 5
  done
  die "failed three times: $1"
}

# with_lock NAME COMMAND...: one run at a time fills one place in the cache.
with_lock() {
  local name=$1 lock
  shift
  mkdir -p "$cache"
  exec {lock}>"$cache/.$name.lock"
  flock "$lock"
  "$@"
  exec {lock}>&-
}

# take_port VARIABLE: a free port of 127.0.0.1, kept from other runs of these scripts by a lock until this one ends.
# Below 32768, where the system takes no ports for outgoing connections.
take_port() {
  local -n result=$1
  local lock candidate
  mkdir -p "$cache/ports"
  for _ in {1..200}; do
    candidate=$((20000 + RANDOM % 12000))
    exec {lock}>"$cache/ports/$candidate"
    if flock --nonblock "$lock" && ! (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then
      # shellcheck disable=SC2034  # a name reference: the caller reads it
      result=$candidate
      return
    fi
    exec {lock}>&-
  done
  die "no free port of 127.0.0.1 found"
}
