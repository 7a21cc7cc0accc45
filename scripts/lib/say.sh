# Words to the user, on stderr: stdout belongs to what was asked for.

say() { printf '%s\n' "$@" >&2; }

# fail CODE MESSAGE...
fail() {
  local code=$1
  shift
  say "" "$@"
  exit "$code"
}

# Exit code of "something has to be installed first, by you".
readonly NEEDS_INSTALL=3
