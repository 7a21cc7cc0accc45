import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

const HANDLER_FILE = /\.[cm]?[jt]s$/;
const SKIPPED_FILE = /\.(d|test|spec)\.[cm]?[jt]s$/;

/** A directory's own selections of handlers, in order; empty when it has none. */
export async function findIndexFiles(directory: string): Promise<string[]> {
  const main = await firstFile([
    join(directory, "examples", "index.js"),
    join(directory, "examples", "index.ts"),
    join(directory, "index.js"),
    join(directory, "index.ts"),
  ]);
  const functional = await firstFile([
    join(directory, "dsl_examples", "index.js"),
    join(directory, "dsl_examples", "index.ts"),
  ]);
  return [main, functional].filter((file) => file !== null);
}

/**
 * Every file below a directory that may hold handlers, sorted. Left out: names that start with `_` or `.`,
 * declarations, tests and `node_modules`.
 */
export async function findHandlerFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (/^[._]/.test(entry.name) || entry.name === "node_modules") continue;
    const path = join(directory, entry.name);
    // A link may lead to a file; one to a directory could lead in circles.
    if (entry.isDirectory()) found.push(...(await findHandlerFiles(path)));
    else if (isHandlerFile(entry.name) && (await isFile(path))) found.push(path);
  }
  return found;
}

/** Null when there is nothing at the path. */
export async function isDirectory(path: string): Promise<boolean | null> {
  const found = await stat(path).catch(() => null);
  return found === null ? null : found.isDirectory();
}

function isHandlerFile(name: string): boolean {
  return HANDLER_FILE.test(name) && !SKIPPED_FILE.test(name);
}

async function firstFile(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) if (await isFile(path)) return path;
  return null;
}

async function isFile(path: string): Promise<boolean> {
  return (await isDirectory(path)) === false;
}
