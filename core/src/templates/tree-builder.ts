import { type Alias, isAlias, isMap, isScalar, isSeq, type Node } from "yaml";
import { plainValue } from "./yaml-scalar.js";
import type { YamlEntry, YamlNode } from "./yaml-tree.js";

export interface YamlProblem {
  readonly offset: number;
  readonly message: string;
}

// The bridge carries JSON of at most 64 levels, and a step's definition sits a little below its root.
const MAX_DEPTH = 60;
// Far above a 10 000-step template written out; far below what a few nested aliases can multiply to.
const MAX_NODES = 2_000_000;
const MAX_ALIASED_NODES = 200_000;

const STRING_TAG = "tag:yaml.org,2002:str";

/** Turns the library's nodes into ours; gives up with one problem when a limit is reached. */
export class TreeBuilder {
  readonly #problems: YamlProblem[];
  readonly #anchors = new Map<string, Node>();
  // An alias means the anchor before it in the file, also when it is met again inside another alias.
  readonly #targets = new Map<Alias, Node | undefined>();
  readonly #open = new Set<Node>();
  #nodes = 0;
  #aliased = 0;
  #aliasDepth = 0;
  #aborted = false;

  constructor(problems: YamlProblem[]) {
    this.#problems = problems;
  }

  build(node: Node): YamlNode | null {
    const root = this.#convert(node, 0, null);
    return this.#aborted ? null : root;
  }

  /** `place` is where an alias stands: what it repeats is reported there, not at its anchor. */
  #convert(node: Node | null, depth: number, place: number | null): YamlNode {
    const offset = place ?? node?.range?.[0] ?? 0;
    const nothing: YamlNode = { kind: "scalar", offset, text: "", value: null };
    if (this.#aborted || node === null) return nothing;
    this.#nodes += 1;
    if (this.#aliasDepth > 0) this.#aliased += 1;
    if (depth > MAX_DEPTH) return this.#abort(offset, `nested more than ${MAX_DEPTH} levels deep`);
    if (this.#nodes > MAX_NODES)
      return this.#abort(offset, `more than ${MAX_NODES} values in one file`);
    if (this.#aliased > MAX_ALIASED_NODES) {
      return this.#abort(offset, `aliases repeat more than ${MAX_ALIASED_NODES} values`);
    }

    if (isAlias(node)) return this.#followAlias(node, depth, offset);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) {
      const entries = new Map<string, YamlEntry>();
      for (const pair of node.items) {
        const keyNode = pair.key as Node | null;
        const keyOffset = place ?? keyNode?.range?.[0] ?? offset;
        const key = this.#keyText(keyNode, keyOffset);
        if (key === null) continue;
        if (entries.has(key))
          this.#report(keyOffset, `the key \`${key}\` is written twice in one map`);
        const value = this.#convert(pair.value as Node | null, depth + 1, place);
        entries.set(key, {
          keyOffset,
          value: pair.value === null ? { ...value, offset: keyOffset } : value,
        });
      }
      return { kind: "map", offset, entries };
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#convert(item as Node | null, depth + 1, place));
      return { kind: "list", offset, items };
    }
    if (!isScalar(node)) return nothing;
    return this.#scalar(node, offset);
  }

  #followAlias(alias: Alias, depth: number, offset: number): YamlNode {
    if (!this.#targets.has(alias)) this.#targets.set(alias, this.#anchors.get(alias.source));
    const target = this.#targets.get(alias);
    if (target === undefined)
      return this.#abort(offset, `the alias \`*${alias.source}\` has no anchor before it`);
    if (this.#open.has(target))
      return this.#abort(offset, `the alias \`*${alias.source}\` contains itself`);
    this.#open.add(target);
    this.#aliasDepth += 1;
    const node = this.#convert(target, depth, offset);
    this.#aliasDepth -= 1;
    this.#open.delete(target);
    return node;
  }

  #scalar(
    node: { value: unknown; source?: string; type?: string; tag?: string },
    offset: number,
  ): YamlNode {
    const isPlain = node.type === "PLAIN" && node.tag === undefined;
    const text = isPlain ? (node.source ?? String(node.value ?? "")) : String(node.value ?? "");
    if (text.includes("\0") || /\p{Surrogate}/u.test(text)) {
      this.#report(
        offset,
        "the text contains U+0000 or half of a surrogate pair, which cannot be stored",
      );
    }
    if (node.tag !== undefined && node.tag !== STRING_TAG) {
      this.#report(offset, `the tag \`${node.tag}\` is not supported; write the value without it`);
    }
    if (!isPlain) return { kind: "scalar", offset, text, value: text };
    const read = plainValue(text);
    if ("value" in read) return { kind: "scalar", offset, text, value: read.value };
    this.#report(offset, read.problem);
    return { kind: "scalar", offset, text, value: text };
  }

  #keyText(key: Node | null, offset: number): string | null {
    if (key === null) return "";
    if (isScalar(key)) return key.source ?? String(key.value ?? "");
    this.#report(offset, "a key must be plain text");
    return null;
  }

  #report(offset: number, message: string): void {
    this.#problems.push({ offset, message });
  }

  #abort(offset: number, message: string): YamlNode {
    this.#aborted = true;
    this.#report(offset, message);
    return { kind: "scalar", offset, text: "", value: null };
  }
}
