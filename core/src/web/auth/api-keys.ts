import { createHash, timingSafeEqual } from "node:crypto";
import type { Principal } from "./principal.js";

export interface ApiKeyEntry {
  /** The key, or `sha256:<64 hex digits>` of it, so that the configuration need not hold it. */
  readonly key: string;
  readonly principal: Principal;
}

const HASHED = /^sha256:([0-9a-f]{64})$/i;

/** The configured keys, held as hashes. Any number are in force at a time: that is how one is replaced by the next. */
export class ApiKeys {
  readonly #entries: readonly { readonly hash: Buffer; readonly principal: Principal }[];

  constructor(entries: readonly ApiKeyEntry[]) {
    this.#entries = entries.map(({ key, principal }) => ({ hash: hashOfEntry(key), principal }));
  }

  get count(): number {
    return this.#entries.length;
  }

  /** Takes the same time wherever the key is in the list, and when it is not. */
  find(key: string): Principal | null {
    const hash = sha256(key);
    let found: Principal | null = null;
    for (const entry of this.#entries) {
      if (timingSafeEqual(entry.hash, hash)) found = entry.principal;
    }
    return found;
  }
}

/** A name for a key that has no description; says nothing about the key itself. */
export function keyFingerprint(key: string): string {
  return hashOfEntry(key).toString("hex").slice(0, 8);
}

function hashOfEntry(key: string): Buffer {
  const hex = HASHED.exec(key)?.[1];
  return hex === undefined ? sha256(key) : Buffer.from(hex, "hex");
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
