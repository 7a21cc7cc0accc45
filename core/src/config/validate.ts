import { deepMerge, isTable, type PlainTable } from "../lib/deep-merge.js";
import { setOwn } from "../lib/json-number.js";
import { nearestName } from "../lib/nearest-name.js";
import { Secret } from "../lib/secret.js";
import { type Config, configSchema } from "./schema/index.js";

export interface ValueProblem {
  /** Dotted, list entries by index: `orchestration.web.auth.api_keys.0.key`. */
  readonly path: string;
  readonly message: string;
}

export interface Validation {
  /** Null when there are errors. */
  readonly config: Config | null;
  readonly errors: readonly ValueProblem[];
  /** Keys that nothing reads. */
  readonly unknown: readonly ValueProblem[];
}

type Path = readonly PropertyKey[];

/** Checks a merged configuration against the schema; every problem is listed, unknown keys apart. */
export function validateConfig(value: PlainTable): Validation {
  const errors = new Map<string, string>();
  const unknown: ValueProblem[] = [];
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return { config: parsed.data, errors: [], unknown };

  let known = value;
  for (const issue of parsed.error.issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        unknown.push(unknownKey(issue.path, key));
        known = withoutKey(known, [...issue.path, key]);
      }
    } else if (!errors.has(dotted(issue.path))) {
      const got = describe(valueAt(value, issue.path), issue.path);
      errors.set(
        dotted(issue.path),
        `expected \`${dotted(issue.path)}\` to be ${issue.message}, got ${got}`,
      );
    }
  }
  return {
    config: errors.size > 0 ? null : configSchema.parse(known),
    errors: [...errors].map(([path, message]) => ({ path, message })),
    unknown,
  };
}

/** The configuration without any file or variable. */
export function defaultConfig(): Config {
  return configSchema.parse({});
}

function unknownKey(path: Path, key: string): ValueProblem {
  const table = valueAt(defaultConfig(), path);
  const near = isTable(table) ? nearestName(key, Object.keys(table)) : null;
  const hint = near === null ? "" : ` (did you mean \`${near}\`?)`;
  const full = dotted([...path, key]);
  return { path: full, message: `unknown key \`${full}\` is ignored${hint}` };
}

function dotted(path: Path): string {
  return path.map(String).join(".");
}

function valueAt(root: unknown, path: Path): unknown {
  let value: unknown = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** A value for a message; a key that holds a secret shows only what kind of value it has. */
function describe(value: unknown, path: Path): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a table";
  const isSecret =
    valueAt(defaultConfig(), path) instanceof Secret ||
    /(?:key|url|password|token)$/.test(dotted(path));
  return isSecret ? `a ${typeof value}` : `\`${JSON.stringify(value)}\``;
}

function withoutKey(table: PlainTable, path: Path): PlainTable {
  const [key, ...rest] = path.map(String);
  const copy: PlainTable | unknown[] = Array.isArray(table) ? [...table] : deepMerge({}, table);
  if (key === undefined) return table;
  if (rest.length === 0) delete (copy as PlainTable)[key];
  else setOwn(copy as PlainTable, key, withoutKey((copy as PlainTable)[key] as PlainTable, rest));
  return copy as PlainTable;
}
