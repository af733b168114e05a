#!/usr/bin/env bash
# shellcheck disable=SC2154  # PROVISOR_TEST_HASS_PYTHON is exported by home_assistant_start
# component.sh lint|test: the Home Assistant component, on the Home Assistants that the tests use.
#   lint   ruff, and mypy --strict with the current and the previous version
#   test   its unit tests, on the previous version: the one that pytest-homeassistant-custom-component brings
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/servers/home_assistant.sh
source "$root/scripts/servers/home_assistant.sh"

component=custom_components/nixos_integrations
unit_tests=tests/component
caches=$root/target/component

python() { PYTHONDONTWRITEBYTECODE=1 "$PROVISOR_TEST_HASS_PYTHON" "$@"; }

lint() {
  python previous -m ruff check --cache-dir "$caches/ruff" "$component" "$unit_tests" scripts/servers/home_assistant
  python previous -m ruff format --check --cache-dir "$caches/ruff" "$component" "$unit_tests" scripts/servers/home_assistant
  # Each version has a cache of its own, else the other would empty it.
  python current -m mypy --strict --cache-dir "$caches/mypy-current" "$component" scripts/servers/home_assistant
  python previous -m mypy --strict --cache-dir "$caches/mypy-previous" "$component" "$unit_tests"
}

unit_tests() {
  python previous -m pytest -p no:cacheprovider -o asyncio_mode=auto "$unit_tests" "$@"
}

action=${1:-}
cd "$root"
with_lock home_assistant home_assistant_install
home_assistant_start
case $action in
  lint) lint ;;
  test) shift && unit_tests "$@" ;;
  *) die "usage: component.sh lint | test [ARGUMENT]..." ;;
esac
