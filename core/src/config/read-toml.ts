import { readFileSync } from "node:fs";
import { parse } from "toml";
import { messageOf } from "../errors/index.js";
import { isTable, type PlainTable } from "../lib/deep-merge.js";
import { setOwn } from "../lib/json-number.js";
import { type Environment, interpolate } from "./interpolate.js";
import { type KeyPlace, locateKeys } from "./locate-keys.js";
import type { ConfigProblem } from "./problem.js";

export interface TomlFile {
  readonly file: string;
  readonly value: PlainTable;
  readonly places: ReadonlyMap<string, KeyPlace>;
  readonly errors: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Reads one TOML file; what is wrong with it is in `errors`, and `value` is then empty. With `env` null the
 * `${...}` placeholders stay as they are written.
 */
export function readTomlFile(file: string, env: Environment | null): TomlFile {
  const broken = (error: ConfigProblem): TomlFile => ({
    file,
    value: {},
    places: new Map(),
    errors: [error],
    warnings: [],
  });
  let source: string;
  try {
    source = readFileSync(file, "utf8");
  } catch (error) {
    return broken({
      file,
      line: null,
      column: null,
      message: `cannot be read: ${messageOf(error)}`,
    });
  }
  const interpolated = env === null ? null : interpolate(source, file, env);
  const text = interpolated?.text ?? source;
  try {
    return {
      file,
      value: withoutDocs(parse(text) as PlainTable),
      places: locateKeys(text),
      errors: interpolated?.errors ?? [],
      warnings: interpolated?.warnings ?? [],
    };
  } catch (error) {
    return broken({ file, ...syntaxPlace(error), message: `not valid TOML: ${messageOf(error)}` });
  }
}

/** The parser gives `line` and `column` for repeated keys, a `location` for everything else. */
function syntaxPlace(error: unknown): { line: number | null; column: number | null } {
  const thrown = error as { line?: number; column?: number; location?: { start?: KeyPlace } };
  const place = thrown.location?.start ?? thrown;
  return { line: place.line ?? null, column: place.column ?? null };
}

/** `_docs` tables and `*_docs` keys describe parameters for people; they are no configuration. */
function withoutDocs(table: PlainTable): PlainTable {
  const kept: PlainTable = {};
  for (const [key, value] of Object.entries(table)) {
    if (!key.endsWith("_docs")) setOwn(kept, key, isTable(value) ? withoutDocs(value) : value);
  }
  return kept;
}
