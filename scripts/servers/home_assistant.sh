# shellcheck shell=bash source=scripts/lib.sh disable=SC2154
# (SC2154: `cache` and `root` are of lib.sh, and take_port assigns by name.)
#
# Home Assistant, as tests start it: each test has instances of its own, copies of a template that has been through
# onboarding. So nothing runs here; home_assistant_start exports
#   PROVISOR_TEST_HASS                start a copy:     hass.sh current|previous FOLDER [NAME=VALUE]...
#   PROVISOR_TEST_HASS_COPY           make a copy:      copy-template.sh current|previous FOLDER PORT
#   PROVISOR_TEST_HASS_PYTHON         its Python:       hass-python.sh current|previous ARGUMENT...
#   PROVISOR_TEST_HASS_SITE_PACKAGES  where the current version is installed
#   PROVISOR_TEST_HASS_TEMPLATE_CURRENT, ..._PREVIOUS   the templates; the administrator's token is in the file `token`
#   PROVISOR_TEST_HASS_VERSION_CURRENT, ..._PREVIOUS
#   PROVISOR_TEST_HASS_HOME           for the scripts above
#
# In the cache: debian (a Python that Debian 12 has not), current and previous (virtual environments), templates.

# shellcheck source=scripts/debian-tree.sh
source "$root/scripts/debian-tree.sh"

home_assistant_files=$root/scripts/servers/home_assistant
# Whatever it is made from being different is another place in the cache.
home_assistant_recipe=$(
  echo "$DEBIAN_SUITE $HOME_ASSISTANT_PYTHON $UV_VERSION"
  cat "$home_assistant_files"/{*.txt,onboard.py,configuration.yaml} "$root"/scripts/{debian-tree.sh,servers/home_assistant.sh}
)
home_assistant_home=$cache/home-assistant-$HOME_ASSISTANT_VERSION-$(cksum <<<"$home_assistant_recipe" | cut -d' ' -f1)

home_assistant_install() {
  need g++ g++ # two requirements of Home Assistant exist as source only
  need curl curl ca-certificates # the certificates are for PyPI
  home_assistant_can_isolate ||
    die "Home Assistant is started in a mount namespace of its own, which this machine does not allow (in a container: --privileged)"
  home_assistant_check_pin current "$HOME_ASSISTANT_VERSION"
  home_assistant_check_pin previous "$HOME_ASSISTANT_PREVIOUS_VERSION"
  [ -f "$home_assistant_home/installed" ] || home_assistant_fill_cache
  # Two gigabytes for each version are worth looking after: what nobody has used for two weeks goes.
  touch "$home_assistant_home"
  find "$cache" -maxdepth 1 -name 'home-assistant-*' -mtime +14 -exec rm -rf {} +
}

home_assistant_check_pin() {
  grep -qx "homeassistant==$2" "$home_assistant_files/requirements-$1.txt" ||
    die "requirements-$1.txt is not for Home Assistant $2: run scripts/servers/home_assistant/lock.sh"
}

home_assistant_can_isolate() {
  unshare --mount true 2>/dev/null || unshare --map-root-user --mount true 2>/dev/null
}

# In its final place, as Python environments cannot be moved; it counts from the moment that `installed` is there.
home_assistant_fill_cache() {
  local from=$EPOCHREALTIME home=$home_assistant_home label
  say "installing Home Assistant $HOME_ASSISTANT_VERSION and $HOME_ASSISTANT_PREVIOUS_VERSION"
  rm -rf "$home"
  mkdir -p "$home"
  home_assistant_install_python "$home"
  for label in current previous; do
    home_assistant_environment "$home" "$label"
    retry home_assistant_uv "$home" pip sync --python "$home/$label" --build-constraints "$home_assistant_files/build.txt" \
      "$home_assistant_files/requirements-$label.txt"
  done
  rm -rf "$home/uv-cache" "$home/uv" "$home/include" "$home/debian/usr/include"

  # What takes the place of the system's own while Home Assistant runs: no name but those of /etc/hosts.
  mkdir "$home/etc"
  echo 'hosts: files' >"$home/etc/nsswitch.conf"
  echo 'nameserver 127.0.0.1' >"$home/etc/resolv.conf"
  for label in current previous; do home_assistant_template "$label"; done
  touch "$home/installed"
  say "Home Assistant is in the cache after $(seconds_since "$from"): $(du -sh "$home" | cut -f1)"
}

# home_assistant_install_python HOME: HOME/debian/usr/bin/python, and uv.
home_assistant_install_python() {
  local home=$1 debian=$1/debian
  debian_tree "$debian" "$DEBIAN_SUITE" "$HOME_ASSISTANT_PYTHON" "lib$HOME_ASSISTANT_PYTHON-dev" python3-pip-whl \
    patchelf libturbojpeg0

  # Told where its loader and libraries are, it runs like any other program, with no chroot. (`--no-sort`: without it,
  # patchelf 0.18 makes this program crash.)
  "$debian/ld.so" --library-path "$debian/libraries" "$debian/usr/bin/patchelf" --no-sort \
    --set-interpreter "$debian/ld.so" --force-rpath --set-rpath "$debian/libraries" \
    --output "$debian/usr/bin/python" "$debian/usr/bin/$HOME_ASSISTANT_PYTHON"
  mv "$debian/usr/bin/python" "$debian/usr/bin/$HOME_ASSISTANT_PYTHON"

  # Where Python's headers include each other; not those of the newer C library, as this machine's compiler is used.
  mkdir -p "$home/include"
  ln -s "$(cd -P "$debian/libraries" && echo "$debian/usr/include/${PWD##*/}")" "$home/include/"
  find "$debian/usr/include" -mindepth 1 -maxdepth 1 ! -name "$HOME_ASSISTANT_PYTHON" ! -name '*-linux-gnu*' -exec rm -rf {} +
  find "$debian/usr/include/"*-linux-gnu* -mindepth 1 -maxdepth 1 ! -name "$HOME_ASSISTANT_PYTHON" -exec rm -rf {} +

  # Found by name and not by its path, so it is in a folder of its own: other programs must not see the other libraries.
  mkdir "$home/libraries"
  ln -s "$debian"/libraries/libturbojpeg.so.0 "$home/libraries/"

  retry home_assistant_pip "$home" install --quiet --root-user-action=ignore --target "$home/uv" "uv==$UV_VERSION"
}

home_assistant_pip() {
  local home=$1 wheel
  shift
  wheel=$(echo "$home"/debian/usr/share/python-wheels/pip-*.whl)
  "$home/debian/usr/bin/$HOME_ASSISTANT_PYTHON" "$wheel/pip" --disable-pip-version-check "$@"
}

# With this machine's configuration of pip (index, certificates), which uv does not read.
home_assistant_uv() {
  local home=$1 index extra certificates
  shift
  index=$(home_assistant_pip "$home" config get global.index-url 2>/dev/null) || index=${PIP_INDEX_URL:-}
  extra=$(home_assistant_pip "$home" config get global.extra-index-url 2>/dev/null) || extra=${PIP_EXTRA_INDEX_URL:-}
  certificates=$(home_assistant_pip "$home" config get global.cert 2>/dev/null) || certificates=${PIP_CERT:-}
  (
    [ -z "$index" ] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}
    [ -z "$extra" ] || export UV_INDEX=${UV_INDEX:-$(xargs <<<"$extra")}
    [ -z "$certificates" ] || export SSL_CERT_FILE=${SSL_CERT_FILE:-$certificates}
    export UV_CACHE_DIR=$home/uv-cache UV_SYSTEM_CERTS=1 UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never
    CPATH=$home/include "$home/uv/bin/uv" --quiet "$@"
  )
}

home_assistant_environment() {
  home_assistant_uv "$1" venv --python "$1/debian/usr/bin/$HOME_ASSISTANT_PYTHON" "$1/$2"
}

# home_assistant_template LABEL: a configuration folder that has been through onboarding.
home_assistant_template() {
  local label=$1 template=$home_assistant_home/templates/$1 port hass
  say "onboarding a Home Assistant ($label)"
  take_port port
  mkdir -p "$template"
  # As YAML, the address is only on trial: onboard.py confirms it, and it is in `.storage/http` from then on.
  { cat "$home_assistant_files/configuration.yaml" && printf 'http:\n  server_host: 127.0.0.1\n  server_port: %s\n' "$port"; } \
    >"$template/configuration.yaml"
  PROVISOR_TEST_HASS_HOME=$home_assistant_home "$home_assistant_files/hass.sh" "$label" "$template" \
    >"$home_assistant_home/$label.log" 2>&1 </dev/null &
  hass=$!
  "$home_assistant_home/$label/bin/python" "$home_assistant_files/onboard.py" "http://127.0.0.1:$port" "$template/token" ||
    { tail -n 40 "$home_assistant_home/$label.log" >&2 && die "Home Assistant could not be onboarded"; }
  kill -TERM "$hass"
  wait "$hass" || die "Home Assistant did not stop in order: $?"
  cp "$home_assistant_files/configuration.yaml" "$template/"
  # Discovery (mDNS) on no interface but the loopback.
  echo '{"version":1,"minor_version":1,"key":"core.network","data":{"configured_adapters":["lo"]}}' \
    >"$template/.storage/core.network"
}

home_assistant_start() {
  export PROVISOR_TEST_HASS_HOME=$home_assistant_home
  export PROVISOR_TEST_HASS=$home_assistant_files/hass.sh
  export PROVISOR_TEST_HASS_COPY=$home_assistant_files/copy-template.sh
  export PROVISOR_TEST_HASS_PYTHON=$home_assistant_files/hass-python.sh
  export PROVISOR_TEST_HASS_SITE_PACKAGES
  PROVISOR_TEST_HASS_SITE_PACKAGES=$(echo "$home_assistant_home"/current/lib/python3.*/site-packages)
  export PROVISOR_TEST_HASS_TEMPLATE_CURRENT=$home_assistant_home/templates/current
  export PROVISOR_TEST_HASS_TEMPLATE_PREVIOUS=$home_assistant_home/templates/previous
  export PROVISOR_TEST_HASS_VERSION_CURRENT=$HOME_ASSISTANT_VERSION
  export PROVISOR_TEST_HASS_VERSION_PREVIOUS=$HOME_ASSISTANT_PREVIOUS_VERSION
}
