# Python and Ruby: finds interpreters that are new enough and puts them first on PATH as `python3` and `ruby`.

readonly PYTHON_NAMES="python3 python3.14 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3 python"
readonly RUBY_NAMES="ruby /usr/bin/ruby /opt/homebrew/opt/ruby/bin/ruby /usr/local/opt/ruby/bin/ruby"

ensure_languages() {
  local python ruby missing="" apt="" brew=""
  python=$(find_python) || { missing="Python 3.10 or later" apt="python3" brew="python"; }
  ruby=$(find_ruby) || {
    missing="${missing:+$missing and }Ruby 3.1 or later" apt="${apt:+$apt }ruby" brew="${brew:+$brew }ruby"
  }
  if [ -n "$missing" ]; then
    install_system_packages "This needs $missing." "$apt" "$brew"
    python=$(find_python) || too_old python3 "3.10"
    ruby=$(find_ruby) || too_old ruby "3.1"
  fi
  # Wrappers, not links: a virtual environment's interpreter must be called by its own path. Version managers put
  # shims on PATH that may refuse to run elsewhere; these do not.
  mkdir -p "$ROOT/.tasker/bin"
  put_first python3 "$python"
  put_first ruby "$ruby"
  export PATH="$ROOT/.tasker/bin:$PATH"
}

find_python() {
  first_that_runs "$PYTHON_NAMES" -c '
import sys
if sys.version_info < (3, 10): sys.exit(1)
print(sys.executable)'
}

find_ruby() {
  first_that_runs "$RUBY_NAMES" -e '
require "rbconfig"
exit 1 if (RUBY_VERSION.split(".").map(&:to_i) <=> [3, 1]).negative?
puts RbConfig.ruby'
}

# first_that_runs NAMES ARGUMENTS...: what the first of these programs prints that ends well.
first_that_runs() {
  local name names=$1 found
  shift
  for name in $names; do
    # Our own wrapper of an earlier run would find itself.
    found=$(PATH=${PATH//"$ROOT/.tasker/bin:"/} "$name" "$@" 2>/dev/null) && [ -n "$found" ] && {
      printf '%s' "$found"
      return 0
    }
  done
  return 1
}

put_first() {
  local file="$ROOT/.tasker/bin/$1" text
  text=$(printf '#!/bin/sh\nexec "%s" "$@"' "$2")
  [ "$(cat "$file" 2>/dev/null)" = "$text" ] && return
  # Moved into place whole: another run may be starting the old one.
  printf '%s\n' "$text" >"$file.$$"
  chmod 755 "$file.$$"
  mv -f "$file.$$" "$file"
}

too_old() {
  fail "$NEEDS_INSTALL" "The $1 that apt-get installs here is older than $2, or cannot be run. Install a newer one and put it on PATH."
}
