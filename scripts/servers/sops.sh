# shellcheck shell=bash source=scripts/lib.sh disable=SC2154
# (SC2154: `cache` and `root` are of lib.sh.)
#
# sops, built from the Go proxy, for the documents that provisor writes for it. Exports PROVISOR_TEST_SOPS, the program.
# The build takes some minutes, once.

# shellcheck source=scripts/debian-tree.sh
source "$root/scripts/debian-tree.sh"

sops_home=$cache/sops-$SOPS_VERSION

sops_install() {
  [ ! -x "$sops_home/sops" ] || return 0
  local part from=$EPOCHREALTIME
  part=$(mktemp -d "$cache/.sops.XXXXXX")
  local go=go
  sops_has_go || {
    # (libc6: a tree without one is none. Go's programs themselves need no library.)
    debian_tree "$part/debian" "$DEBIAN_SUITE" golang-go libc6
    GOROOT=$(echo "$part"/debian/usr/lib/go-[0-9]*)
    go=$GOROOT/bin/go
    sops_unlink_source "$GOROOT" "$part/debian"
    export GOROOT
  }
  say "building sops $SOPS_VERSION"
  GOBIN=$part/bin GOPATH=$part/go GOCACHE=$part/cache GOFLAGS=-modcacherw GOTOOLCHAIN=auto CGO_ENABLED=0 \
    retry "$go" install "github.com/getsops/sops/v3/cmd/sops@$SOPS_VERSION"
  rm -rf "$sops_home"
  mv "$part/bin" "$sops_home"
  rm -rf "$part"
  say "sops is in the cache after $(seconds_since "$from")"
}

# Go 1.21 is the first that fetches the version which sops asks for.
sops_has_go() {
  command -v go >/dev/null 2>&1 &&
    go version | awk '{ split(substr($3, 3), v, "."); exit !(v[1] > 1 || v[2] + 0 >= 21) }'
}

# Debian's tree of Go consists of links to absolute places.
sops_unlink_source() {
  local link
  find "$1/" "$1"/../../share/go-* -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
    ln -sfn "$2$(readlink "$link")" "$link"
  done
}

sops_start() {
  export PROVISOR_TEST_SOPS=$sops_home/sops
}
