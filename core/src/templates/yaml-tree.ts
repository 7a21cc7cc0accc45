import type { JsonNumber } from "../lib/json-number.js";

/**
 * A YAML document as this room sees it: maps, lists and scalars with their place in the file. Aliases are
 * already followed. `offset` counts UTF-16 units from the start of the file.
 */
export type YamlNode = YamlMap | YamlList | YamlScalar;

export interface YamlMap {
  readonly kind: "map";
  readonly offset: number;
  readonly entries: ReadonlyMap<string, YamlEntry>;
}

export interface YamlEntry {
  readonly keyOffset: number;
  readonly value: YamlNode;
}

export interface YamlList {
  readonly kind: "list";
  readonly offset: number;
  readonly items: readonly YamlNode[];
}

export interface YamlScalar {
  readonly kind: "scalar";
  readonly offset: number;
  /** What a string field takes: the source text of a plain scalar, else the unquoted content. */
  readonly text: string;
  readonly value: null | boolean | number | string | JsonNumber;
}

/** What a node is, in words for a message. */
export function describeNode(node: YamlNode): string {
  if (node.kind === "map") return "a map";
  if (node.kind === "list") return "a list";
  if (node.value === null) return "nothing";
  const text = node.text.length > 40 ? `${node.text.slice(0, 40)}…` : node.text;
  return typeof node.value === "string" ? `the string ${JSON.stringify(text)}` : `\`${text}\``;
}
