# Names the commands and hides none. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# How many tests run at a time: some wait for a server, so more than a small machine has cores.
TEST_THREADS ?= $(shell cores=$$(nproc); echo $$((cores > 4 ? cores : 4)))
FUZZ_SECONDS ?= 60

.PHONY: help run test servers fuzz bench lint deny

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: ## the quickstart: plan, apply, and a second plan that is empty (needs Rust only)
	scripts/quickstart.sh

test: ## all tests, against real servers, which are installed and started
	scripts/tools.sh
	scripts/component.sh test
	scripts/with-servers.sh cargo test --locked -- --include-ignored --test-threads $(TEST_THREADS)
	scripts/fuzz.sh 10

servers: ## start the servers of the tests and keep them until Ctrl-C
	scripts/with-servers.sh --hold

fuzz: ## fuzz the parsers for FUZZ_SECONDS each
	scripts/fuzz.sh $(FUZZ_SECONDS)

bench: ## measure against a floor of bare requests, and print ratios
	scripts/bench.sh

lint: ## format, clippy, documentation, shell scripts, the Home Assistant component
	cargo fmt --all --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
	scripts/shellcheck.sh
	scripts/component.sh lint

deny: ## licences, advisories and sources of the dependencies (needs cargo-deny)
	cargo deny --locked check
