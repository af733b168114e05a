# shellcheck shell=bash source=scripts/lib.sh
# Programs of a newer Debian on this one, for tests that need them. Sourced, never run.
#
# debian_tree FOLDER SUITE PACKAGE...: unpacks packages and what they depend on. Nothing is installed or configured, no
# service is started, no root is needed, and the system's own packages are not looked at.
# Started as `FOLDER/ld.so --library-path FOLDER/libraries FOLDER/usr/bin/PROGRAM`, a program finds its own C library.

debian_tree() {
  local folder=$1 suite=$2
  shift 2
  say "unpacking packages of Debian $suite: $*"
  rm -rf "$folder"
  mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial"
  debian_tree_apt_configuration "$folder/apt" "$suite"
  retry debian_tree_apt "$folder/apt" update
  retry debian_tree_apt "$folder/apt" install --yes --download-only "$@"
  local package
  for package in "$folder"/apt/cache/archives/*.deb; do dpkg-deb --extract "$package" "$folder"; done
  rm -rf "$folder/apt"

  local loader
  loader=$(echo "$folder"/usr/lib/*-linux-gnu*/ld-linux-*.so.*)
  [ -e "$loader" ] || die "no dynamic loader in $folder"
  ln -s "${loader#"$folder/"}" "$folder/ld.so"
  ln -s "$(dirname "${loader#"$folder/"}")" "$folder/libraries"
  # What a package leaves to the trigger of the C library: the link from a library's name to its file.
  PATH=$PATH:/usr/sbin:/sbin ldconfig -n "$folder/libraries/"
}

debian_tree_apt() {
  local folder=$1
  shift
  APT_CONFIG=$folder/apt.conf DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$folder/log" 2>&1 ||
    { tail -n 20 "$folder/log" >&2 && return 1; }
}

# An apt of its own: the system's way to the network (proxies, certificates) and its mirror, but an empty system, and
# none of the hooks of the real one.
debian_tree_apt_configuration() {
  local folder=$1 suite=$2 mirror keyring
  mirror=$(debian_tree_mirror)
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -f "$keyring" ] || keyring=${keyring%.gpg}.pgp # its name in later releases
  [ -f "$keyring" ] || die "the keys of Debian's archive are missing: please install debian-archive-keyring"
  : >"$folder/status"
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$folder/sources.list"
  {
    apt-config dump Acquire
    printf '%s "%s";\n' \
      Dir::Etc::main /dev/null Dir::Etc::parts /dev/null \
      Dir::Etc::sourcelist "$folder/sources.list" Dir::Etc::sourceparts /dev/null \
      Dir::Etc::preferences /dev/null Dir::Etc::preferencesparts /dev/null \
      Dir::State "$folder/state" Dir::State::status "$folder/status" Dir::Cache "$folder/cache" \
      APT::Architectures "$(dpkg --print-architecture)" APT::Install-Recommends false APT::Sandbox::User "$(id -un)" \
      Acquire::Languages none Acquire::Retries 3 Debug::NoLocking true
  } >"$folder/apt.conf"
}

# The mirror that this machine uses for its own release; PROVISOR_TEST_DEBIAN_MIRROR wins.
debian_tree_mirror() {
  local mirror=${PROVISOR_TEST_DEBIAN_MIRROR:-}
  # shellcheck disable=SC2016,SC1091  # apt fills the names in
  [ -n "$mirror" ] || mirror=$(
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
      awk -v codename="$codename" '$2 == "main" && ($1 == codename || $1 ~ /^(old)*stable$|^testing$|^unstable$/) && !found++ { print $3 }'
  )
  [ -n "$mirror" ] || die "no mirror of Debian among apt's sources: set PROVISOR_TEST_DEBIAN_MIRROR"
  echo "$mirror"
}
