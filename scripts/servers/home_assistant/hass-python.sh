#!/usr/bin/env bash
# hass-python.sh current|previous ARGUMENT...: the Python that has this Home Assistant installed.
set -euo pipefail

home=${PROVISOR_TEST_HASS_HOME:?"is set by scripts/with-servers.sh"}
label=$1
shift
exec "$home/$label/bin/python" "$@"
