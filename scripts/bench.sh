#!/usr/bin/env bash
# Measures provisor beside a floor of bare requests and a bare parse, on a real Keycloak, and prints ratios.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
need cc gcc libc6-dev
need python3 python3
cargo build --release --locked --bin provisor
floor=$(cargo bench --locked --bench floor --no-run --message-format json \
  | python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "floor":
        print(message["executable"])')
scripts/with-servers.sh python3 benches/fleet.py --provisor "${CARGO_TARGET_DIR:-target}/release/provisor" --floor "$floor" "$@"
