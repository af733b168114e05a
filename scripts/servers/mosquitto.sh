# shellcheck shell=bash source=scripts/lib.sh disable=SC2154
# (SC2154: `cache` and `root` are of lib.sh, and take_port assigns by name.)
#
# Mosquitto of a current Debian, unpacked into the cache: installing the package would start a service on this machine.
# Exports PROVISOR_TEST_MQTT (host:port) with PROVISOR_TEST_MQTT_USERNAME and PROVISOR_TEST_MQTT_PASSWORD, the only user.

# shellcheck source=scripts/debian-tree.sh
source "$root/scripts/debian-tree.sh"

mosquitto_home=$cache/mosquitto-$DEBIAN_SUITE

mosquitto_install() {
  [ ! -f "$mosquitto_home/installed" ] || return 0
  local part
  part=$(mktemp -d "$cache/.mosquitto.XXXXXX")
  debian_tree "$part/debian" "$DEBIAN_SUITE" mosquitto mosquitto-clients
  touch "$part/installed"
  rm -rf "$mosquitto_home"
  mv "$part" "$mosquitto_home"
}

# mosquitto_run PROGRAM ARGUMENT...
mosquitto_run() {
  local debian=$mosquitto_home/debian program=$1
  shift
  "$debian/ld.so" --library-path "$debian/libraries" "$debian/usr/bin/$program" "$@"
}

mosquitto_start() {
  local folder=$1 debian=$mosquitto_home/debian
  take_port mosquitto_port
  export PROVISOR_TEST_MQTT=127.0.0.1:$mosquitto_port
  export PROVISOR_TEST_MQTT_USERNAME=provisor
  export PROVISOR_TEST_MQTT_PASSWORD=provisor-password
  mosquitto_run mosquitto_passwd -c -b "$folder/users" "$PROVISOR_TEST_MQTT_USERNAME" "$PROVISOR_TEST_MQTT_PASSWORD" \
    >"$folder/log" 2>&1 || fail_with_log mosquitto "has no user"
  # `user`: it would look for an account of its own when root starts it.
  printf '%s\n' "listener $mosquitto_port 127.0.0.1" "allow_anonymous false" "password_file $folder/users" \
    "persistence false" "user $(id -un)" >"$folder/mosquitto.conf"
  launch mosquitto "$debian/ld.so" --library-path "$debian/libraries" "$debian/usr/sbin/mosquitto" \
    -c "$folder/mosquitto.conf"
}

mosquitto_ready() {
  mosquitto_run mosquitto_pub -h 127.0.0.1 -p "$mosquitto_port" -u "$PROVISOR_TEST_MQTT_USERNAME" \
    -P "$PROVISOR_TEST_MQTT_PASSWORD" -q 1 -t ready -m yes 2>/dev/null
}
