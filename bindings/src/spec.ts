import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { NativeLibraryError } from "./errors.js";

/** One native library, as the configuration names it. */
export interface LibrarySpec {
  /** For logs, and the name of its pool. */
  readonly name: string;
  /** Absolute: what is loaded must not depend on a search path. */
  readonly path: string;
  /** Of the file, 64 hex digits; null to load whatever is there. */
  readonly sha256: string | null;
  /** Steps that it runs at once. */
  readonly slots: number;
  /** What a simple library without a manifest runs; must be empty for the others. */
  readonly callables: readonly string[];
  /** Handed to `open` of a full library. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Looks at the file before anything in it can run.
 * @throws NativeLibraryError
 */
export function checkFile({ name, path, sha256 }: LibrarySpec): void {
  if (!isAbsolute(path)) {
    throw new NativeLibraryError(name, path, "its path has to be absolute");
  }
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new NativeLibraryError(name, path, "there is no such file");
  }
  if (sha256 === null) return;
  const found = createHash("sha256").update(readFileSync(path)).digest("hex");
  if (found === sha256.toLowerCase()) return;
  throw new NativeLibraryError(
    name,
    path,
    `its sha256 is ${found}, the configuration expects ${sha256}`,
  );
}
