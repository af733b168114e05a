#!/usr/bin/env bash
# shellcheck disable=SC2154  # home_assistant_files
# lock.sh: writes requirements-current.txt and requirements-previous.txt for the versions in tests/versions.env.
# They name every package, so that an installation resolves nothing and gives the same in a year.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
# shellcheck source=scripts/servers/home_assistant.sh
source "$root/scripts/servers/home_assistant.sh"

# Those of the tests. hassio: mqtt and analytics import its library on an installation without it, too.
integrations=(local_todo min_max template derivative mqtt tado daikin openweathermap roborock hassio)

# Versions that Home Assistant asks for and PyPI does not have.
override() {
  case $1 in
    2026.11.0) echo "pydaikin==2.22.0" ;;
  esac
}

lock() {
  local label=$1 version=$2 constraints
  shift 2
  home_assistant_environment "$work" "$label"
  home_assistant_uv "$work" pip install --python "$work/$label" "homeassistant==$version"
  "$work/$label/bin/python" "$home_assistant_files/requirements.py" "${integrations[@]}" >"$work/$label.in"
  printf '%s\n' "homeassistant==$version" "$@" >>"$work/$label.in"
  override "$version" >"$work/$label.override"
  constraints=$(echo "$work/$label"/lib/python3.*/site-packages/homeassistant/package_constraints.txt)
  home_assistant_uv "$work" pip compile --python "$work/$label" --no-header --no-annotate \
    --constraints "$constraints" --overrides "$work/$label.override" "$work/$label.in" -o "$work/$label.txt"
  { echo "# Written by lock.sh." && cat "$work/$label.txt"; } >"$home_assistant_files/requirements-$label.txt"
}

mkdir -p "$cache"
work=$(mktemp -d "$cache/.lock.XXXXXX")
trap 'rm -rf "$work"' EXIT
home_assistant_install_python "$work"
lock current "$HOME_ASSISTANT_VERSION" "mypy==$MYPY_VERSION"
lock previous "$HOME_ASSISTANT_PREVIOUS_VERSION" "mypy==$MYPY_VERSION" "ruff==$RUFF_VERSION" \
  "pytest-homeassistant-custom-component==$PYTEST_HOMEASSISTANT_VERSION"
