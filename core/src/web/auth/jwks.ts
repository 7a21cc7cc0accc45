import {
  createLocalJWKSet,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from "jose";
import { messageOf } from "../../errors/index.js";
import type { Logger } from "../../observability/index.js";

export interface JwksOptions {
  readonly url: string;
  /** A set is used for so long before it is fetched again. */
  readonly refreshMs: number;
  /** When fetching fails, the old set is used for so long beyond that. */
  readonly maxStaleMs: number;
  /** A key id that is not in the set makes it be fetched again, but not within this time of the last attempt. */
  readonly cooldownMs: number;
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly logger: Logger;
}

/** The key set could not be fetched, and none is left that may be used. */
export class JwksUnavailable extends Error {}

const MAX_BYTES = 1_048_576;
const MAX_KEYS = 200;
/** After a failure the issuer is given this time, at most, before it is asked again. */
const RETRY_MS = 5000;

type LocalSet = ReturnType<typeof createLocalJWKSet>;

/** The issuer's public keys, fetched when they are needed and no more often than the options say. */
export class JwksCache {
  readonly #options: JwksOptions;
  #set: LocalSet | undefined;
  #fetchedAt = 0;
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;
  #failure: unknown;

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /**
   * The key that a token names; a token that names none gets the only one that fits.
   * @throws JwksUnavailable; errors of jose when no key, or more than one, fits
   */
  async keyFor(header: JWTHeaderParameters, token: FlattenedJWSInput) {
    const set = await this.#current();
    try {
      return await set(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (!(await this.#fetchedAfter(this.#options.cooldownMs))) throw error;
      return await (this.#set ?? set)(header, token);
    }
  }

  async #current(): Promise<LocalSet> {
    const { refreshMs, maxStaleMs, cooldownMs, now } = this.#options;
    const ageMs = () => now() - this.#fetchedAt;
    if (this.#set === undefined || ageMs() > refreshMs) {
      await this.#fetchedAfter(Math.min(cooldownMs, RETRY_MS));
    }
    if (this.#set !== undefined && ageMs() <= refreshMs + maxStaleMs) return this.#set;
    throw new JwksUnavailable(`the key set cannot be had: ${messageOf(this.#failure)}`, {
      cause: this.#failure,
    });
  }

  /** Fetches unless that was tried within `pauseMs`; requests that come meanwhile wait for the same answer. */
  async #fetchedAfter(pauseMs: number): Promise<boolean> {
    const { now, logger, url } = this.#options;
    if (this.#fetching === undefined) {
      if (now() - this.#triedAt < pauseMs) return false;
      this.#triedAt = now();
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
    }
    try {
      await this.#fetching;
      return true;
    } catch (error) {
      this.#failure = error;
      logger.warn({ err: error, url }, "the JWKS could not be fetched");
      return false;
    }
  }

  async #fetch(): Promise<void> {
    const { url, timeoutMs, now } = this.#options;
    const answer = await fetch(url, {
      headers: { accept: "application/json, application/jwk-set+json" },
      // Another place than the configured one is no place for keys.
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    this.#set = createLocalJWKSet(keySet(await limitedText(answer)));
    this.#fetchedAt = now();
  }
}

function keySet(text: string): JSONWebKeySet {
  const { keys } = JSON.parse(text) as Partial<JSONWebKeySet>;
  if (!Array.isArray(keys)) throw new Error("it has no list `keys`");
  if (keys.length > MAX_KEYS) throw new Error(`it has ${keys.length} keys; at most ${MAX_KEYS}`);
  // A shared secret in a public place would be everybody's.
  return { keys: keys.filter(({ kty }) => kty !== "oct") };
}

async function limitedText(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
