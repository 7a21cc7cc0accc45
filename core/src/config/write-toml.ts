import { isTable, type PlainTable } from "../lib/deep-merge.js";
import { Secret } from "../lib/secret.js";

/**
 * TOML text of a table: values before sub-tables, one `[header]` per table that has values. Secrets are
 * written as `[redacted]`; reveal them first where the text is to be used.
 */
export function writeToml(table: PlainTable): string {
  return `${blocks(table, []).join("\n\n")}\n`;
}

function blocks(table: PlainTable, path: readonly string[]): string[] {
  const values = Object.entries(table).filter(([, value]) => value !== null && !isTable(value));
  const tables = Object.entries(table).filter(([, value]) => isTable(value));
  const lines = values.map(([key, value]) => `${keyText(key)} = ${valueText(value)}`);
  const header = path.length > 0 ? [`[${path.map(keyText).join(".")}]`] : [];
  const isNeeded = lines.length > 0 || (tables.length === 0 && path.length > 0);
  const own = isNeeded ? [[...header, ...lines].join("\n")] : [];
  return own.concat(tables.flatMap(([key, value]) => blocks(value as PlainTable, [...path, key])));
}

function keyText(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
}

function valueText(value: unknown): string {
  if (value instanceof Secret) return JSON.stringify(value.toString());
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (isTable(value)) {
    const members = Object.entries(value).map(
      ([key, member]) => `${keyText(key)} = ${valueText(member)}`,
    );
    return `{ ${members.join(", ")} }`;
  }
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}
