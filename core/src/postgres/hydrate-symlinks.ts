import { lstatSync } from "node:fs";
import { readFile, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { copyToCache } from "./binary-cache.js";

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * Creates the library links that the platform package makes in its postinstall script; `npm ci --ignore-scripts`
 * leaves them out and Postgres does not load. Where the package cannot be written, a copy of it gets the links.
 *
 * @returns the tree that has the links: `root` itself, or the copy.
 */
export async function hydrateSymlinks(
  root: string,
  label: string,
  cacheDir: string | undefined,
): Promise<string> {
  const missing = (await readLinks(root)).filter((link) => !exists(inRoot(root, link.target)));
  if (missing.length === 0) return root;
  try {
    await createLinks(root, missing);
    return root;
  } catch (error) {
    if (!["EACCES", "EPERM", "EROFS"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
    return copyToCache(root, label, cacheDir, (copy) => createLinks(copy, missing));
  }
}

async function readLinks(root: string): Promise<Link[]> {
  const text = await readFile(join(root, "pg-symlinks.json"), "utf8").catch(() => "[]");
  return JSON.parse(text) as Link[];
}

async function createLinks(root: string, links: readonly Link[]): Promise<void> {
  for (const { source, target } of links) {
    // Both names sit in one directory, so a bare name is a correct relative link.
    await symlink(basename(source), inRoot(root, target)).catch((error: NodeJS.ErrnoException) => {
      // Another process hydrates the same package.
      if (error.code !== "EEXIST") throw error;
    });
  }
}

/** The package writes paths as `native/lib/x`; `root` is its `native`, under whatever name. */
function inRoot(root: string, path: string): string {
  return join(root, path.replace(/^native\//, ""));
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
