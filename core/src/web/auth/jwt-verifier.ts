import type { KeyObject } from "node:crypto";
import {
  errors,
  type FlattenedJWSInput,
  type JWTHeaderParameters,
  type JWTPayload,
  jwtVerify,
} from "jose";
import { messageOf } from "../../errors/index.js";
import type { Logger } from "../../observability/index.js";
import { CredentialRefused } from "./failures.js";
import { type JwksCache, JwksUnavailable } from "./jwks.js";
import { isKnownPermission } from "./permissions.js";
import type { Principal } from "./principal.js";
import { checkTokenShape } from "./token-shape.js";

export interface JwtSettings {
  /** Asymmetric ones; whatever a token's header says, no other is accepted. */
  readonly algorithms: readonly string[];
  readonly issuer: string;
  readonly audience: string;
  readonly leewaySeconds: number;
  readonly maxTokenBytes: number;
  readonly permissionsClaim: string;
  readonly namespacesClaim: string;
  /** A token with an unknown permission is refused; else the permission is passed over. */
  readonly isStrict: boolean;
  readonly logsUnknown: boolean;
}

/** Where the keys come from. */
export type JwtKeys = KeyObject | Pick<JwksCache, "keyFor">;

/** Reads tokens: signature, issuer, audience, times, then who it is and what it may. */
export class JwtVerifier {
  readonly #settings: JwtSettings;
  readonly #keys: JwtKeys;
  readonly #logger: Logger;

  constructor(settings: JwtSettings, keys: JwtKeys, logger: Logger) {
    this.#settings = settings;
    this.#keys = keys;
    this.#logger = logger;
  }

  /** @throws CredentialRefused; JwksUnavailable */
  async verify(token: string): Promise<Principal> {
    checkTokenShape(token, this.#settings.maxTokenBytes);
    return this.#principal(await this.#payload(token));
  }

  async #payload(token: string): Promise<JWTPayload> {
    const { algorithms, issuer, audience, leewaySeconds } = this.#settings;
    const keys = this.#keys;
    const keyFor = async (header: JWTHeaderParameters, jws: FlattenedJWSInput) =>
      "keyFor" in keys ? await keys.keyFor(header, jws) : keys;
    try {
      const { payload } = await jwtVerify(token, keyFor, {
        algorithms: [...algorithms],
        issuer,
        audience,
        clockTolerance: leewaySeconds,
        requiredClaims: ["exp"],
      });
      return payload;
    } catch (error) {
      if (error instanceof JwksUnavailable) throw error;
      // jose's messages name the check that failed, never the token. What is not jose's comes from a key of another kind.
      const why = error instanceof errors.JOSEError ? messageOf(error) : "the key does not fit";
      throw new CredentialRefused(why, { cause: error });
    }
  }

  #principal(payload: JWTPayload): Principal {
    const { permissionsClaim, namespacesClaim, leewaySeconds } = this.#settings;
    const { sub, iat } = payload;
    if (sub !== undefined && typeof sub !== "string") {
      throw new CredentialRefused("claim `sub` is no text");
    }
    if (iat !== undefined && iat > Date.now() / 1000 + leewaySeconds) {
      throw new CredentialRefused("claim `iat` is in the future");
    }
    const permissions = wordsOf(payload, permissionsClaim) ?? [];
    this.#checkPermissions(permissions);
    return {
      name: `jwt:${sub ?? "unnamed"}`.slice(0, 200),
      permissions: new Set(permissions.filter(isKnownPermission)),
      namespaces: wordsOf(payload, namespacesClaim),
    };
  }

  #checkPermissions(permissions: readonly string[]): void {
    const { isStrict, logsUnknown } = this.#settings;
    const unknown = permissions.filter((permission) => !isKnownPermission(permission));
    if (unknown.length === 0) return;
    const shown = unknown.slice(0, 5).map((permission) => permission.slice(0, 60));
    if (isStrict) throw new CredentialRefused(`unknown permissions ${JSON.stringify(shown)}`);
    if (logsUnknown) this.#logger.warn({ permissions: shown }, "a token has unknown permissions");
  }
}

/** A list of texts, or one text with spaces between them; null when the claim is absent. */
function wordsOf(payload: JWTPayload, claim: string): string[] | null {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  if (value === undefined) return null;
  if (typeof value === "string") return value.split(" ").filter((word) => word !== "");
  if (Array.isArray(value) && value.every((word) => typeof word === "string")) return value;
  throw new CredentialRefused(`claim \`${claim}\` is neither a list of texts nor a text`);
}
