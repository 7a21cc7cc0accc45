# What only the tests need: pytest in a virtual environment of this checkout, and minitest.

readonly PYTEST_REQUIREMENT="pytest>=8,<10"
# What handlers may use besides, and the package supports when it is there.
readonly PYTHON_EXTRAS="orjson httpx pydantic"

ensure_pytest() {
  local venv="$ROOT/.tasker/venv" base
  base=$(python3 -c 'import sys; print(sys.executable, sys.version, sep="\n")')
  if "$venv/bin/python" -c 'import pytest' 2>/dev/null &&
    [ "$(cat "$venv/base" 2>/dev/null)" = "$base" ]; then return; fi
  python3 -c 'import ensurepip, venv' 2>/dev/null ||
    install_system_packages "Python's venv module is missing." "python3-venv" "python"
  say "Installing $PYTEST_REQUIREMENT into .tasker/venv"
  rm -rf "$venv"
  { python3 -m venv "$venv" && pip_install "$PYTEST_REQUIREMENT"; } >&2 ||
    fail 1 "pytest could not be installed: see above."
  # shellcheck disable=SC2086 # a list of packages
  pip_install $PYTHON_EXTRAS >&2 || say "Without all of $PYTHON_EXTRAS, some tests are skipped."
  printf '%s' "$base" >"$venv/base"
}

pip_install() {
  "$ROOT/.tasker/venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "$@"
}

ensure_minitest() {
  export GEM_PATH="$ROOT/.tasker/gems:$(ruby -e 'puts Gem.path.join(":")')"
  ruby -e 'require "minitest"' 2>/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ "$(ruby -e 'puts RbConfig.ruby')" = /usr/bin/ruby ]; then
    install_system_packages "Ruby's minitest is missing." "ruby-minitest" "ruby"
    return
  fi
  say "Installing minitest into .tasker/gems"
  ruby -S gem install --silent --no-document --install-dir "$ROOT/.tasker/gems" minitest -v '~> 5' >&2 ||
    fail 1 "minitest could not be installed: see above."
}
