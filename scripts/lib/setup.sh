# Sourced by the scripts beside this folder. Sets ROOT and brings everything a run needs; a second time it does nothing.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

. "$ROOT/scripts/lib/say.sh"
. "$ROOT/scripts/lib/node.sh"
. "$ROOT/scripts/lib/system-packages.sh"
. "$ROOT/scripts/lib/languages.sh"
. "$ROOT/scripts/lib/test-tools.sh"

set_up() {
  ensure_node
  ensure_languages
  ensure_packages
  ensure_build
}
