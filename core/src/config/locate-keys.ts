export interface KeyPlace {
  readonly line: number;
  readonly column: number;
}

const HEADER = /^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?/;
const ASSIGNMENT =
  /^(\s*)((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=/;

/**
 * Where each key of a TOML text is written, by dotted path (`a.b`, list entries as `a.0.b`): the parser
 * tells places of syntax errors only. Keys inside inline tables are found as their table.
 */
export function locateKeys(text: string): Map<string, KeyPlace> {
  const places = new Map<string, KeyPlace>();
  const entries = new Map<string, number>();
  let table = "";
  let closing: string | null = null; // the quotes that end an open multi-line string

  text.split("\n").forEach((content, index) => {
    if (closing !== null) {
      if (content.includes(closing)) closing = null;
      return;
    }
    const header = HEADER.exec(content);
    const assignment = header === null ? ASSIGNMENT.exec(content) : null;
    if (header !== null) {
      table = dotted(header[2] ?? "");
      if (header[1] === "[[") {
        remember(places, table, { line: index + 1, column: content.indexOf("[") + 1 });
        const entry = entries.get(table) ?? 0;
        entries.set(table, entry + 1);
        table = `${table}.${entry}`;
      }
      remember(places, table, { line: index + 1, column: content.indexOf("[") + 1 });
    } else if (assignment !== null) {
      const key = dotted(assignment[2] ?? "");
      const path = table === "" ? key : `${table}.${key}`;
      remember(places, path, { line: index + 1, column: (assignment[1] ?? "").length + 1 });
      closing = openString(content.slice(assignment[0].length));
    }
  });
  return places;
}

/** The place of a path, else of the nearest table around it. */
export function placeOf(places: ReadonlyMap<string, KeyPlace>, path: string): KeyPlace | null {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const place = places.get(at);
    if (place !== undefined) return place;
  }
  return null;
}

function remember(places: Map<string, KeyPlace>, path: string, place: KeyPlace): void {
  if (!places.has(path)) places.set(path, place);
}

function dotted(key: string): string {
  return key
    .split(".")
    .map((part) => part.trim().replace(/^["']|["']$/g, ""))
    .join(".");
}

function openString(value: string): string | null {
  for (const quotes of ['"""', "'''"]) {
    const start = value.indexOf(quotes);
    if (start !== -1 && !value.includes(quotes, start + 3)) return quotes;
  }
  return null;
}
