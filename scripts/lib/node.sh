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
  (cd "$ROOT" && npm ci --no-audit --no-fund --loglevel=error >&2) ||
    fail 1 "npm ci failed: see above. The registry in use is $(cd "$ROOT" && npm config get registry)"
}

ensure_build() {
  local stamp="$ROOT/.tasker/build-stamp" hash
  hash=$(node "$ROOT/scripts/lib/source-hash.mjs" "$ROOT")
  if [ -f "$ROOT/core/dist/tasker.js" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ]; then return; fi
  say "Building (npm run build)"
  (cd "$ROOT" && npm run --silent build:sdk >&2 && npm run --silent build:core >&2) || fail 1 "The build failed: see above."
  mkdir -p "$ROOT/.tasker"
  printf '%s' "$hash" >"$stamp"
}
