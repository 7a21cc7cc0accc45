# What only the system's package manager can bring. Root on Debian and Ubuntu gets it installed; everybody else is told
# the one command to run.

# install_system_packages WHY APT_PACKAGES BREW_PACKAGES: returns when they are installed, else exits 3.
install_system_packages() {
  local why=$1 apt=$2 brew=$3
  if [ "$(uname -s)" = Darwin ]; then
    fail "$NEEDS_INSTALL" "$why Run this, then try again:" "" "  brew install $brew"
  elif ! command -v apt-get >/dev/null; then
    fail "$NEEDS_INSTALL" "$why Install it with your system's package manager, then try again."
  elif [ "$(id -u)" != 0 ]; then
    fail "$NEEDS_INSTALL" "$why Run this, then try again:" "" "  sudo apt-get install -y $apt"
  fi
  say "$why Installing with apt-get: $apt"
  # shellcheck disable=SC2086 # a list of packages
  if ! { apt_get update && apt_get install -y --no-install-recommends $apt; }; then
    fail "$NEEDS_INSTALL" "apt-get could not install: $apt. See above."
  fi
}

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" </dev/null >&2; }
