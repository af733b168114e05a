#!/usr/bin/env bash
# shellcheck disable=SC2317  # (functions that are called by name and from traps)
#
# with-servers.sh [--server NAME]... COMMAND...
# with-servers.sh [--server NAME]... --hold
#
# Starts the servers that tests need (all of scripts/servers/ where none is named), exports PROVISOR_TEST_*, runs the
# command, and stops them again, however it ends. `--hold` prints the variables and waits for Ctrl-C instead.
# What a server needs is installed first: Debian packages, and archives in the cache.
#
# A server is one file, scripts/servers/NAME.sh, with the functions
#   NAME_install            fill the cache; done before anything is started, under a lock
#   NAME_start FOLDER       begin the process with `launch NAME COMMAND...`, export its variables; data goes into FOLDER.
#                           One that launches nothing only gives tests what they need to start instances themselves
#   NAME_ready FOLDER       true once it answers
#   NAME_stop FOLDER        optional: what has to be said to it before its process group is ended
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ready_within=240

declare -A group=() # server -> process group id
command_group=
run=

# launch NAME COMMAND...: in a process group of its own, with its output in FOLDER/log. Ends with us, even if we are killed.
launch() {
  local name=$1
  shift
  setsid setpriv --pdeathsig TERM "$@" >"$run/$name/log" 2>&1 </dev/null &
  group[$name]=$!
}

end_group() {
  local id=$1
  kill -TERM -- "-$id" 2>/dev/null || return 0
  for _ in {1..150}; do
    kill -0 -- "-$id" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$id" 2>/dev/null || true
}

clean_up() {
  local status=$? name
  trap '' INT TERM HUP
  [ -z "$command_group" ] || end_group "$command_group"
  for name in "${!group[@]}"; do
    if declare -F "${name}_stop" >/dev/null; then "${name}_stop" "$run/$name" || true; fi
    end_group "${group[$name]}"
  done
  [ -z "$run" ] || rm -rf "$run"
  exit "$status"
}

fail_with_log() {
  local name=$1
  say "error: $name $2; the end of its log:"
  tail -n 60 "$run/$name/log" | sed 's/^/  | /' >&2
  exit 1
}

wait_until_ready() {
  local name=$1 from=$2
  until "${name}_ready" "$run/$name"; do
    kill -0 "${group[$name]}" 2>/dev/null || fail_with_log "$name" "ended before it was ready"
    ((${EPOCHREALTIME%.*} - ${from%.*} < ready_within)) || fail_with_log "$name" "is not ready after $ready_within s"
    sleep 0.2
  done
  say "$name is ready after $(seconds_since "$from")"
}

names=()
hold=false
while [ $# -gt 0 ]; do
  case $1 in
    --server) names+=("$2") && shift 2 ;;
    --hold) hold=true && shift ;;
    *) break ;;
  esac
done
$hold || [ $# -gt 0 ] || die "usage: with-servers.sh [--server NAME]... (COMMAND... | --hold)"
if [ ${#names[@]} -eq 0 ]; then
  for file in "$root"/scripts/servers/*.sh; do
    name=${file##*/}
    names+=("${name%.sh}")
  done
fi

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

for name in "${names[@]}"; do
  [ -f "$root/scripts/servers/$name.sh" ] || die "there is no scripts/servers/$name.sh"
  # shellcheck source=/dev/null
  source "$root/scripts/servers/$name.sh"
  with_lock "$name" "${name}_install"
done

run=$(mktemp -d "${TMPDIR:-/tmp}/provisor-servers.XXXXXX")
from=$EPOCHREALTIME
for name in "${names[@]}"; do
  mkdir "$run/$name"
  "${name}_start" "$run/$name"
done
for name in "${names[@]}"; do
  [ -z "${group[$name]:-}" ] || wait_until_ready "$name" "$from"
done

if $hold; then
  env | grep '^PROVISOR_TEST_' | sort | sed 's/^/export /'
  say "Ctrl-C stops the servers"
  set -- sleep infinity
fi

# In a process group of its own, so that a signal to us ends all of it; and waited for, so that the signal is not kept
# waiting until the command is done.
if [ -t 0 ]; then exec </dev/null; fi
set -m
"$@" &
set +m
command_group=$!
status=0
wait "$command_group" || status=$?
exit "$status"
