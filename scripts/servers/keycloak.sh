# shellcheck shell=bash source=scripts/lib.sh disable=SC2154
# (SC2154: `cache` and `root` are of lib.sh, and take_port assigns by name.)
#
# Keycloak as in production: built once in the cache, a fresh database file for each run.
# Exports PROVISOR_TEST_KEYCLOAK (http), PROVISOR_TEST_KEYCLOAK_HTTPS with PROVISOR_TEST_KEYCLOAK_CA (a CA made for this
# run), and PROVISOR_TEST_KCADM, its command-line administrator. In the realm `master`, `admin` has the password `admin`.

keycloak_build_options=(
  --db=dev-file --health-enabled=true --metrics-enabled=false --features=client-secret-rotation
)
# Other build options are another place in the cache.
keycloak_home=$cache/keycloak-$KEYCLOAK_VERSION-$(printf '%s\n' "${keycloak_build_options[@]}" | cksum | cut -d' ' -f1)
keycloak_admin="admin"
keycloak_password="admin"

keycloak_install() {
  need unzip unzip
  need curl curl ca-certificates
  need openssl openssl
  keycloak_find_java
  if [ -z "$keycloak_java_home" ]; then
    install_packages "openjdk-$JDK_MINIMUM-jre-headless"
    keycloak_find_java
  fi
  [ -n "$keycloak_java_home" ] || die "no JDK of version $JDK_MINIMUM or later under /usr/lib/jvm"
  [ -f "$keycloak_home/installed" ] || keycloak_fill_cache
}

# The newest JDK of at least JDK_WANTED, else of at least JDK_MINIMUM, into keycloak_java_home. PROVISOR_TEST_JAVA_HOME wins.
keycloak_find_java() {
  keycloak_java_home=${PROVISOR_TEST_JAVA_HOME:-}
  [ -z "$keycloak_java_home" ] || return 0
  local folder version newest=0
  for folder in /usr/lib/jvm/*/; do
    if ! [ -x "$folder/bin/java" ] || ! [ -f "$folder/release" ]; then continue; fi
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$folder/release")
    if ((${version:-0} >= JDK_MINIMUM && ${version:-0} > newest)); then
      newest=$version
      keycloak_java_home=${folder%/}
    fi
  done
  ((newest == 0 || newest >= JDK_WANTED)) || say "no JDK of version $JDK_WANTED or later found: Keycloak runs on $newest"
}

keycloak_fill_cache() {
  local from=$EPOCHREALTIME part attempt
  part=$(mktemp -d "$cache/.keycloak.XXXXXX")
  need mvn maven
  say "fetching Keycloak $KEYCLOAK_VERSION from Maven Central"
  for attempt in 1 2 3; do
    mvn -q -B "org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN_VERSION:copy" \
      -Dartifact="org.keycloak:keycloak-quarkus-dist:$KEYCLOAK_VERSION:zip" -DoutputDirectory="$part" >&2 && break
    [ "$attempt" -lt 3 ] || die "could not fetch Keycloak"
    sleep 10
  done
  local zip=$part/keycloak-quarkus-dist-$KEYCLOAK_VERSION.zip
  echo "$KEYCLOAK_SHA256  $zip" | sha256sum --check --quiet >&2 || die "Keycloak's archive is not the one that is pinned"
  unzip -q "$zip" -d "$part"

  say "building Keycloak for production mode"
  local home=$part/keycloak-$KEYCLOAK_VERSION
  JAVA_HOME=$keycloak_java_home "$home/bin/kc.sh" build "${keycloak_build_options[@]}" >"$part/log" 2>&1 ||
    { tail -n 40 "$part/log" >&2 && die "\`kc.sh build\` failed"; }

  touch "$home/installed"
  rm -rf "$keycloak_home"
  mv "$home" "$keycloak_home"
  rm -rf "$part"
  say "Keycloak is in the cache after $(seconds_since "$from")"
}

keycloak_start() {
  local folder=$1 http https entry
  take_port http
  take_port https
  take_port keycloak_management
  keycloak_certificates "$folder"

  # Keycloak writes below its home only: a home of links, with a data folder of its own, lets several run at once.
  mkdir "$folder/home" "$folder/tmp"
  for entry in bin conf lib providers themes version.txt; do ln -s "$keycloak_home/$entry" "$folder/home/$entry"; done

  # `--cache=local`: without it the server looks for others on all interfaces.
  launch keycloak env -u JAVA_OPTS \
    JAVA_HOME="$keycloak_java_home" JAVA_OPTS_KC_HEAP="-Xms256m -Xmx1g" \
    JAVA_OPTS_APPEND="-Djava.io.tmpdir=$folder/tmp -XX:-UsePerfData" \
    KC_BOOTSTRAP_ADMIN_USERNAME="$keycloak_admin" KC_BOOTSTRAP_ADMIN_PASSWORD="$keycloak_password" \
    "$keycloak_home/bin/kc.sh" -Dkc.home.dir="$folder/home" start --optimized --cache=local \
    --http-host=127.0.0.1 --http-enabled=true --http-port="$http" --hostname-strict=false \
    --https-port="$https" --https-certificate-file="$folder/server.pem" --https-certificate-key-file="$folder/server.key" \
    --http-management-port="$keycloak_management" --http-management-scheme=http \
    --log-level=info,io.smallrye.health:warn

  keycloak_url=http://127.0.0.1:$http
  export PROVISOR_TEST_KEYCLOAK=$keycloak_url
  export PROVISOR_TEST_KEYCLOAK_HTTPS=https://127.0.0.1:$https
  export PROVISOR_TEST_KEYCLOAK_CA=$folder/ca.pem

  # shellcheck disable=SC2016  # "$@" is meant for the file
  printf '#!/bin/sh\nJAVA_HOME=%q exec %q "$@"\n' "$keycloak_java_home" "$keycloak_home/bin/kcadm.sh" >"$folder/kcadm.sh"
  chmod +x "$folder/kcadm.sh"
  export PROVISOR_TEST_KCADM=$folder/kcadm.sh
}

# Readiness is told on the management port. The first token warms the server up, so that no test pays for it.
keycloak_ready() {
  curl -fs -o /dev/null --max-time 5 "http://127.0.0.1:$keycloak_management/health/ready" &&
    curl -fs -o /dev/null --max-time 60 -d grant_type=password -d client_id=admin-cli \
      -d username="$keycloak_admin" -d password="$keycloak_password" \
      "$keycloak_url/realms/master/protocol/openid-connect/token"
}

keycloak_certificates() {
  (
    cd "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj '/CN=provisor test CA' \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj '/CN=127.0.0.1' -keyout server.key -out server.csr
    printf '%s\n' 'subjectAltName=IP:127.0.0.1,DNS:localhost' 'basicConstraints=critical,CA:FALSE' >server.ext
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile server.ext -out server.pem
  ) >"$1/openssl.log" 2>&1 || die "openssl made no certificate: $(tail -n 3 "$1/openssl.log")"
}
