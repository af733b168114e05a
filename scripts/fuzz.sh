#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET...]: fuzzes each target (all of fuzz/Cargo.toml where none is named) for that long.
#
# On stable Rust, without cargo-fuzz: sancov-rustc.sh adds what libFuzzer steers by to our own code and the parsers. Those
# packages are built at another optimisation level than in a test, so that cargo keeps both builds side by side in one
# target folder and takes all other dependencies from there.
#
# Inputs begin with fuzz/seeds/TARGET (and the examples, for manifests); what is found on the way is kept in fuzz/corpus,
# what makes a target fail in fuzz/artifacts. Neither is committed: a fault becomes a test beside the code it was in.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || die "usage: fuzz.sh SECONDS [TARGET...]"
seconds=$1
shift
cd "$root"
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's/^name = "fuzz_\(.*\)"$/\1/p' fuzz/Cargo.toml)

need g++ g++
from=$EPOCHREALTIME
options=()
for package in provisor provisor-fuzz serde-saphyr granit-parser; do
  options+=(--config "profile.dev.package.$package.opt-level=1")
done
for target in "${targets[@]}"; do options+=(--bin "fuzz_$target"); done
RUSTC_WRAPPER=$root/scripts/sancov-rustc.sh cargo build --locked --package provisor-fuzz "${options[@]}"
say "the fuzz targets are built after $(seconds_since "$from")"

for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
  inputs=("fuzz/corpus/$target")
  [ ! -d "fuzz/seeds/$target" ] || inputs+=("fuzz/seeds/$target")
  [ "$target" != manifest ] || [ ! -d examples ] || inputs+=(examples)
  flags=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -use_value_profile=1 -verbosity=0 -print_final_stats=1)
  [ ! -f "fuzz/dictionaries/$target.dict" ] || flags+=(-dict="fuzz/dictionaries/$target.dict")
  say "fuzzing $target for $seconds s"
  "${CARGO_TARGET_DIR:-target}/debug/fuzz_$target" "${flags[@]}" -artifact_prefix="fuzz/artifacts/$target/" "${inputs[@]}" ||
    die "fuzzing $target failed; a fault it found, again with: ${CARGO_TARGET_DIR:-target}/debug/fuzz_$target fuzz/artifacts/$target/FILE"
done
