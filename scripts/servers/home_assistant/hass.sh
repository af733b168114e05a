#!/usr/bin/env bash
# hass.sh current|previous FOLDER [NAME=VALUE]...
#
# Runs Home Assistant on a configuration folder, in the foreground: this process becomes Home Assistant, so a signal to it
# is one to Home Assistant. It is killed when its parent ends. It sees the named variables and no others, and no name
# server: a test must not depend on whether the cloud of an integration can be reached. Log on standard output.
set -euo pipefail

home=${PROVISOR_TEST_HASS_HOME:?"is set by scripts/with-servers.sh"}
label=$1
folder=$(realpath "$2")
shift 2
[ -x "$home/$label/bin/python" ] || { echo "error: no Home Assistant \`$label\` in $home" >&2 && exit 1; }

# On a port that is taken, Home Assistant would fall back to port 8123 on all addresses.
if [ -f "$folder/.storage/http" ]; then
  port=$(sed -n 's/.*"server_port": *\([0-9]*\).*/\1/p' "$folder/.storage/http" | head -n 1)
  ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "error: port $port is taken" >&2 && exit 1; }
fi

namespace=(--mount)
[ "$(id -u)" -eq 0 ] || namespace+=(--map-root-user)

# shellcheck disable=SC2016  # for the inner shell
exec unshare "${namespace[@]}" sh -euc '
  etc=$1
  shift
  for file in resolv.conf nsswitch.conf; do
    [ ! -e "/etc/$file" ] || mount --bind "$etc/$file" "/etc/$file"
  done
  exec setpriv --pdeathsig KILL "$@"
' sh "$home/etc" \
  env -i -C "$folder" PATH=/usr/bin:/bin LANG=C.UTF-8 HOME="$folder" LD_LIBRARY_PATH="$home/libraries" \
  HA_DISABLE_LOG_FILE=1 "$@" \
  "$home/$label/bin/python" -P -m homeassistant --config "$folder" --skip-pip
