#!/usr/bin/env bash
# copy-template.sh current|previous FOLDER PORT
#
# Makes FOLDER the configuration of a Home Assistant that has been through onboarding and listens on 127.0.0.1:PORT, with
# this checkout's component. `admin` has the password `admin-password`; a token of that user is in FOLDER/token.
set -euo pipefail

home=${PROVISOR_TEST_HASS_HOME:?"is set by scripts/with-servers.sh"}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
template=$home/templates/$1
folder=$2
port=$3

mkdir -p "$folder"
cp -a "$template/." "$folder/"
sed -i 's/\("server_port": *\)[0-9]*/\1'"$port/" "$folder/.storage/http"
# A copy, so that Python's caches stay out of the checkout.
cp -r "$root/custom_components" "$folder/"
