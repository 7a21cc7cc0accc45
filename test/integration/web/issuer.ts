import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface SignOptions {
  readonly header?: Readonly<Record<string, unknown>>;
  /** Default: this issuer's. */
  readonly key?: KeyObject;
  /** Text of a part instead of its JSON. */
  readonly headerText?: string;
  readonly payloadText?: string;
}

const base64url = (text: string | Buffer): string => Buffer.from(text).toString("base64url");

/** Makes tokens, good ones and every kind of bad one. Signs by hand: libraries refuse to make most of the bad ones. */
export class Issuer {
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  get pem(): string {
    return this.publicKey.export({ type: "spki", format: "pem" }).toString();
  }

  jwk(kid: string): Record<string, unknown> {
    return { ...this.publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };
  }

  claims(extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const now = Math.floor(Date.now() / 1000);
    return {
      sub: "alice",
      iss: "tasker-core",
      aud: "tasker-api",
      iat: now,
      exp: now + 600,
      permissions: ["tasks:*", "templates:read"],
      ...extra,
    };
  }

  token(claims: Readonly<Record<string, unknown>> = {}, options: SignOptions = {}): string {
    const input = this.#input(claims, { alg: "RS256", typ: "JWT" }, options);
    const signature = sign("sha256", Buffer.from(input), options.key ?? this.#privateKey);
    return `${input}.${base64url(signature)}`;
  }

  /** Signed with a shared secret: what an attacker does who has only the public key. */
  hmacToken(secret: string, hash: "sha256" | "sha512" = "sha256"): string {
    const input = this.#input({}, { alg: hash === "sha256" ? "HS256" : "HS512", typ: "JWT" }, {});
    return `${input}.${base64url(createHmac(hash, secret).update(input).digest())}`;
  }

  unsigned(alg: string, signature = ""): string {
    return `${this.#input({}, { alg, typ: "JWT" }, {})}.${signature}`;
  }

  #input(
    claims: Readonly<Record<string, unknown>>,
    header: Readonly<Record<string, unknown>>,
    options: SignOptions,
  ): string {
    const head = options.headerText ?? JSON.stringify({ ...header, ...options.header });
    const body = options.payloadText ?? JSON.stringify(this.claims(claims));
    return `${base64url(head)}.${base64url(body)}`;
  }
}
