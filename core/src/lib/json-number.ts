/**
 * JSON whose numbers keep their kind. `3` and `3.0` mean different things to Python and Ruby handlers, and
 * integers up to 64 bits are exact on the wire; a JavaScript number keeps neither. Only numbers that would
 * change are held as a {@link JsonNumber}; everything else is an ordinary value.
 */

/** A number by its JSON source text, for example `1.0` or `9007199254740993`. */
export class JsonNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  /** The nearest double. */
  valueOf(): number {
    return Number(this.source);
  }

  /** For a plain `JSON.stringify`, which cannot write the source text. */
  toJSON(): number {
    return Number(this.source);
  }
}

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | JsonNumber
  | readonly JsonValue[]
  | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** A number when a double says the same as the text, else a {@link JsonNumber}. */
export function jsonNumber(source: string): number | JsonNumber {
  const value = Number(source);
  return String(value) === source ? value : new JsonNumber(source);
}

/** Sets a key as data, `__proto__` included. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") target[key] = value;
  else {
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
}

/** Compact JSON text; like `JSON.stringify`, but a {@link JsonNumber} is written by its source text. */
export function stringifyJson(value: unknown): string {
  if (value instanceof JsonNumber) return value.source;
  if (Array.isArray(value)) {
    return `[${value.map((item) => stringifyJson(item ?? null)).join(",")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const members: string[] = [];
    for (const [key, member] of Object.entries(value)) {
      if (member !== undefined) members.push(`${JSON.stringify(key)}:${stringifyJson(member)}`);
    }
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}
