import { readdir, stat } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import type { HandlerPaths } from "../worker/bridge-languages.js";
import { CliError } from "./cli-error.js";
import { EXIT } from "./exit-codes.js";

/** `--handlers --ts --python --ruby`, each as often as given. */
export interface HandlerFlags {
  readonly handlers: readonly string[];
  readonly ts: readonly string[];
  readonly python: readonly string[];
  readonly ruby: readonly string[];
  /** Where handler processes may join; replaces `worker.join.addresses`. */
  readonly join?: readonly string[];
  /** Replaces `worker.join.token_file`. */
  readonly joinToken?: string;
}

type Language = keyof HandlerPaths;

const LANGUAGE_OF: Readonly<Record<string, Language>> = {
  ".ts": "typescript",
  ".mts": "typescript",
  ".cts": "typescript",
  ".js": "typescript",
  ".mjs": "typescript",
  ".cjs": "typescript",
  ".py": "python",
  ".rb": "ruby",
};
const SKIPPED = /^(?:[._].*|node_modules|vendor|venv)$/;
const MAX_DEPTH = 8;

/**
 * Which paths each language gets. A path of `--handlers` goes to the languages of the files in it; a folder with
 * subfolders named after languages hands those out instead.
 */
export async function readHandlerFlags(
  flags: HandlerFlags,
  workingDirectory: string,
): Promise<HandlerPaths> {
  const paths: Record<Language, string[]> = {
    typescript: [...flags.ts],
    python: [...flags.python],
    ruby: [...flags.ruby],
  };
  for (const given of flags.handlers) {
    const found = await sortPath(resolve(workingDirectory, given));
    if (found.length === 0) {
      throw new CliError(
        "HANDLER_PATH_NOT_FOUND",
        EXIT.usage,
        `--handlers ${given}: there is no TypeScript, Python or Ruby file`,
      );
    }
    for (const [language, path] of found) paths[language].push(path);
  }
  return paths;
}

async function sortPath(path: string): Promise<[Language, string][]> {
  const kind = await stat(path).catch(() => null);
  if (kind === null) return [];
  if (!kind.isDirectory()) {
    const language = LANGUAGE_OF[extname(path)];
    return language === undefined ? [] : [[language, path]];
  }
  const named = await namedFolders(path);
  if (named.length > 0) return named;
  const languages = new Set<Language>();
  await collectLanguages(path, languages, 0);
  return [...languages].sort().map((language) => [language, path]);
}

async function namedFolders(path: string): Promise<[Language, string][]> {
  const found: [Language, string][] = [];
  for (const language of ["typescript", "python", "ruby"] as const) {
    const folder = join(path, language);
    if ((await stat(folder).catch(() => null))?.isDirectory() === true)
      found.push([language, folder]);
  }
  return found;
}

async function collectLanguages(path: string, found: Set<Language>, depth: number): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (SKIPPED.test(entry.name)) continue;
    if (entry.isDirectory()) {
      if (depth < MAX_DEPTH) await collectLanguages(join(path, entry.name), found, depth + 1);
      continue;
    }
    const language = LANGUAGE_OF[extname(entry.name)];
    if (language !== undefined) found.add(language);
  }
}
