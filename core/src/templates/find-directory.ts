import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const ROOT_MARKERS = [
  "Cargo.toml",
  "pyproject.toml",
  ".git",
  "Gemfile",
  "package.json",
  "tasker-core.code-workspace",
];
const MAX_ANCESTORS = 10;

/**
 * Where a service looks for templates (`contract/template.md` section 11): the first of
 * `TASKER_TEMPLATE_PATH`, `$WORKSPACE_PATH/config/tasks`, the workspace root's and the working
 * directory's `config/tasks` that is a directory. Null when there is none.
 */
export function findTemplateDirectory(
  env: Readonly<Record<string, string | undefined>>,
  workingDirectory: string,
): string | null {
  const explicit = env["TASKER_TEMPLATE_PATH"];
  const workspace = env["WORKSPACE_PATH"];
  const root = workspaceRoot(workingDirectory);
  const candidates = [
    explicit ? resolve(workingDirectory, explicit) : null,
    workspace ? join(resolve(workingDirectory, workspace), "config/tasks") : null,
    root === null ? null : join(root, "config/tasks"),
    join(workingDirectory, "config/tasks"),
  ];
  return candidates.find((path) => path !== null && isDirectory(path)) ?? null;
}

function workspaceRoot(start: string): string | null {
  let directory = resolve(start);
  for (let level = 0; level <= MAX_ANCESTORS; level++) {
    if (ROOT_MARKERS.some((marker) => existsSync(join(directory, marker)))) return directory;
    const parent = dirname(directory);
    if (parent === directory) return null;
    directory = parent;
  }
  return null;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
