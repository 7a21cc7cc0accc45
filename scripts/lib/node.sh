# Node, the npm packages and the build of this checkout.

ensure_node() {
  local hint="Install Node 20.19 or later: https://nodejs.org/en/download"
  command -v node >/dev/null || fail "$NEEDS_INSTALL" "There is no node on PATH. $hint"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "$NEEDS_INSTALL" "node is $(node --version), and Tasker needs 20.19 or later. $hint"
  command -v npm >/dev/null || fail "$NEEDS_INSTALL" "There is node but no npm on PATH. $hint"
}

# Asks what is installed rather than a stamp: `npm install` by hand counts too.
ensure_packages() {
  node "$ROOT/scripts/lib/packages-current.mjs" "$ROOT" && return
  say "Installing npm packages (npm ci)"
  local log="$ROOT/.tasker/npm-ci.log"
  mkdir -p "$ROOT/.tasker"
  npm_quietly ci >"$log" 2>&1 && return
  # npm 11 asks the registry for the optional packages of all platforms, and gives up when a mirror lacks some of them.
  # An install by the same lock file needs those of this platform only.
  say "npm ci did not work (.tasker/npm-ci.log), installing by the lock file (npm install --no-save)"
  npm_quietly install --no-save >&2 ||
    fail 1 "npm install failed: see above. The registry in use is $(cd "$ROOT" && npm config get registry)"
}

npm_quietly() { (cd "$ROOT" && npm "$@" --no-audit --no-fund --loglevel=error); }

ensure_build() {
  local stamp="$ROOT/.tasker/build-stamp" hash
  mkdir -p "$ROOT/.tasker"
  hash=$(node "$ROOT/scripts/lib/source-hash.mjs" "$ROOT")
  if [ -x "$ROOT/node_modules/.bin/tasker" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ]; then return; fi
  say "Building (npm run build)"
  (cd "$ROOT" && npm run --silent build:sdk >&2 && npm run --silent build:core >&2) || fail 1 "The build failed: see above."
  # npm linked the packages' programs before there were any.
  chmod 755 "$ROOT/core/dist/tasker.js"
  ln -sf ../@tasker-core/core/dist/tasker.js "$ROOT/node_modules/.bin/tasker"
  printf '%s' "$hash" >"$stamp"
}
