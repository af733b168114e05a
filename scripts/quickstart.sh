#!/usr/bin/env bash
# Applies examples/quickstart in a fresh folder: a hub in a file, a farm, a provisioning key with a card to print.
# Needs Rust and no server.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

step() { printf '\n%s\n' "== $*"; }
show() { printf '$ %s\n' "$*" && "$@"; }

cd "$root"
need cc gcc libc6-dev
step "building"
show cargo build --locked

rm -rf .quickstart
mkdir .quickstart
cp examples/quickstart/*.yaml .quickstart/
PATH=$root/target/debug:$PATH
[ -z "${CARGO_TARGET_DIR:-}" ] || PATH=$CARGO_TARGET_DIR/debug:$PATH

step "what would change"
show provisor plan -f .quickstart

step "changing it"
show provisor apply -f .quickstart --yes

step "a second plan: nothing is left to do, exit code 0"
show provisor plan -f .quickstart --detailed-exitcode

step "done; in .quickstart are now"
find .quickstart -type f | sort
