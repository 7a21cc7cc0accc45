import type { JsonObject, JsonValue } from "../lib/json-number.js";
import type { ReadContext } from "./read-context.js";
import { mapToJson, toJson } from "./yaml-json.js";
import { describeNode, type YamlMap, type YamlNode } from "./yaml-tree.js";

export interface TextLimits {
  /** Declared by the contract; beyond it the compatibility profile still accepts. */
  readonly maxLength?: number;
  /** The width of the database column: nothing longer can be stored. */
  readonly columnWidth?: number;
}

export interface IntegerRange {
  readonly min: number;
  readonly max: number;
  /** Values outside the range that are accepted all the same. */
  readonly alsoAccepted?: readonly number[];
}

// Nothing larger fits the engine's 32-bit columns, whatever the profile says.
const MAX_INTEGER = 2_147_483_647;

/**
 * Reads the keys of one map. Every method reports what is wrong and returns null (or an empty value), so
 * that reading goes on and finds the next problem. A YAML null counts as absent.
 */
export class MapReader {
  readonly ctx: ReadContext;
  readonly path: string;
  readonly #map: YamlMap;
  readonly #known = new Set<string>();

  constructor(ctx: ReadContext, map: YamlMap, path: string) {
    this.ctx = ctx;
    this.#map = map;
    this.path = path;
  }

  get offset(): number {
    return this.#map.offset;
  }

  keys(): string[] {
    return [...this.#map.entries.keys()];
  }

  /** Whether the key is written at all, even with null. */
  has(key: string): boolean {
    return this.#map.entries.has(key);
  }

  keyOffset(key: string): number {
    return this.#map.entries.get(key)?.keyOffset ?? this.offset;
  }

  /** Where the key's value stands, or the map itself when the key is absent. */
  valueOffset(key: string): number {
    return this.#map.entries.get(key)?.value.offset ?? this.offset;
  }

  pathOf(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }

  node(key: string): YamlNode | null {
    this.#known.add(key);
    const value = this.#map.entries.get(key)?.value;
    return value === undefined || isNull(value) ? null : value;
  }

  text(key: string, limits: TextLimits = {}): string | null {
    const node = this.node(key);
    if (node === null) return null;
    if (node.kind !== "scalar") return this.#mismatch(key, node, "text");
    this.#checkLength(key, node.text, node.offset, limits);
    return node.text;
  }

  requiredText(key: string, limits: TextLimits = {}): string {
    const text = this.text(key, limits);
    if (text === null && !this.#isBroken(key)) this.missing(key);
    if (text === "")
      this.ctx.error(this.valueOffset(key), this.pathOf(key), `\`${key}\` must not be empty`);
    return text ?? "";
  }

  missing(key: string, hint: string | null = null): void {
    const owner = this.path === "" ? "the template" : `\`${this.path}\``;
    const offset = this.has(key) ? this.keyOffset(key) : this.offset;
    this.ctx.error(offset, this.pathOf(key), `${owner} needs \`${key}\``, hint);
  }

  boolean(key: string): boolean | null {
    const node = this.node(key);
    if (node === null) return null;
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
    return this.#mismatch(key, node, "true or false");
  }

  integer(key: string, range: IntegerRange): number | null {
    const node = this.node(key);
    if (node === null) return null;
    const value = node.kind === "scalar" ? node.value : null;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_INTEGER) {
      return this.#mismatch(key, node, `an integer from ${range.min} to ${range.max}`);
    }
    const isAccepted = range.alsoAccepted?.includes(value) === true;
    if ((value < range.min || value > range.max) && !isAccepted) {
      const message = `\`${key}\` must be from ${range.min} to ${range.max}, got ${value}`;
      this.ctx.beyondDeclared(node.offset, this.pathOf(key), message);
    }
    return value;
  }

  choice<Choice extends string>(key: string, choices: readonly Choice[]): Choice | null {
    const node = this.node(key);
    if (node === null) return null;
    const found =
      node.kind === "scalar" ? choices.find((choice) => choice === node.text) : undefined;
    if (found !== undefined) return found;
    const hint = node.kind === "scalar" ? this.ctx.suggest(node.text, choices) : null;
    return this.#mismatch(key, node, `one of ${choices.join(", ")}`, hint);
  }

  list(key: string): readonly YamlNode[] {
    const node = this.node(key);
    if (node === null) return [];
    if (node.kind === "list") return node.items;
    this.#mismatch(key, node, "a list");
    return [];
  }

  /** The texts of a list, each with its place; items that are no text are reported and left out. */
  textList(key: string): { text: string; offset: number; path: string }[] {
    return this.list(key).flatMap((item, index) => {
      const path = `${this.pathOf(key)}[${index}]`;
      if (item.kind === "scalar" && item.value !== null)
        return [{ text: item.text, offset: item.offset, path }];
      this.ctx.error(
        item.offset,
        path,
        `\`${key}\` must be a list of texts, got ${describeNode(item)}`,
      );
      return [];
    });
  }

  /** The maps of a list; items that are no map are reported and left out. */
  mapList(key: string): MapReader[] {
    return this.list(key).flatMap((item, index) => {
      const path = `${this.pathOf(key)}[${index}]`;
      if (item.kind === "map") return [new MapReader(this.ctx, item, path)];
      this.ctx.error(
        item.offset,
        path,
        `\`${key}\` must be a list of maps, got ${describeNode(item)}`,
      );
      return [];
    });
  }

  map(key: string): MapReader | null {
    const node = this.node(key);
    if (node === null) return null;
    if (node.kind === "map") return new MapReader(this.ctx, node, this.pathOf(key));
    return this.#mismatch(key, node, "a map");
  }

  json(key: string): JsonValue {
    const node = this.node(key);
    return node === null ? null : toJson(node);
  }

  jsonObject(key: string): JsonObject | null {
    const node = this.node(key);
    if (node === null) return null;
    if (node.kind === "map") return mapToJson(node);
    return this.#mismatch(key, node, "a map");
  }

  /** Reports the keys nobody asked for. `hints` explain names that are easily mistaken. */
  reportUnknownKeys(hints: Readonly<Record<string, string>> = {}): void {
    if (this.ctx.unknownKeys === "ignore") return;
    for (const [key, { keyOffset }] of this.#map.entries) {
      if (this.#known.has(key)) continue;
      const suggestion = this.ctx.suggest(key, this.#known);
      const hint = Object.hasOwn(hints, key) ? (hints[key] ?? null) : suggestion;
      const where = this.path === "" ? "at the top level" : `in \`${this.path}\``;
      this.ctx.unknownKey(
        keyOffset,
        this.pathOf(key),
        `unknown key \`${key}\` ${where} is ignored`,
        hint,
      );
    }
  }

  #mismatch(key: string, node: YamlNode, expected: string, hint: string | null = null): null {
    const message = `\`${key}\` must be ${expected}, got ${describeNode(node)}`;
    this.ctx.error(node.offset, this.pathOf(key), message, hint);
    return null;
  }

  #isBroken(key: string): boolean {
    return this.node(key) !== null;
  }

  #checkLength(key: string, text: string, offset: number, limits: TextLimits): void {
    const length = [...text].length;
    const { columnWidth, maxLength } = limits;
    if (columnWidth !== undefined && length > columnWidth) {
      const message = `\`${key}\` has ${length} characters; at most ${columnWidth} can be stored`;
      this.ctx.error(offset, this.pathOf(key), message);
    } else if (maxLength !== undefined && length > maxLength) {
      const message = `\`${key}\` has ${length} characters, more than ${maxLength}`;
      this.ctx.beyondDeclared(offset, this.pathOf(key), message);
    }
  }
}

function isNull(node: YamlNode): boolean {
  return node.kind === "scalar" && node.value === null;
}
