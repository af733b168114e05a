#!/usr/bin/env bash
# The compiler as scripts/fuzz.sh calls it: `sancov-rustc.sh RUSTC ARGUMENT...` (cargo's RUSTC_WRAPPER).
#
# What libFuzzer steers by (counters, a table of places, compared values) is compiled into our own code and into the
# parsers below it, and into nothing else: all other dependencies are built as ever. Comparisons with short texts stay
# calls (the last option), because libFuzzer learns the texts from those; with them inlined it finds no key word.
# Cargo does not see a change of this file: `cargo clean -p provisor -p provisor-fuzz` afterwards.
set -euo pipefail

case " $* " in
  *" --crate-name provisor "* | *" --crate-name fuzz_"* | \
    *" --crate-name serde_saphyr "* | *" --crate-name granit_parser "*)
    exec "$@" --cfg fuzzing -Cpasses=sancov-module \
      -Cllvm-args=-sanitizer-coverage-level=4 \
      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
      -Cllvm-args=-sanitizer-coverage-pc-table \
      -Cllvm-args=-sanitizer-coverage-trace-compares \
      -Cllvm-args=-max-loads-per-memcmp=0
    ;;
  *) exec "$@" ;;
esac
