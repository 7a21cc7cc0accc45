/**
 * The handshake as pure functions: `challenge` → `hello` → `welcome` or `reject` (BRIDGE section 3). Both sides prove
 * that they know the token; a process that the host started itself is asked for nothing.
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type Manifest, readManifest } from "./manifest.js";
import type { ChallengeHeader, HelloHeader, RejectHeader, WelcomeHeader } from "./messages.js";
import { chooseProtocol, DEFAULT_MAX_FRAME, PROTOCOL_VERSIONS } from "./version.js";

export interface HelloVerdict extends Manifest {
  readonly accepted: true;
}
export interface HelloRefusal {
  readonly accepted: false;
  readonly reject: RejectHeader;
}

/** 32 lower-case hex digits. */
export function createNonce(): string {
  return randomBytes(16).toString("hex");
}

export function buildChallenge(options: {
  readonly hostId: string;
  readonly auth: ChallengeHeader["auth"];
  readonly maxFrame?: number;
  readonly nonce?: string;
}): ChallengeHeader {
  return {
    type: "challenge",
    protocols: [...PROTOCOL_VERSIONS],
    features: [],
    host_id: options.hostId,
    nonce: options.nonce ?? createNonce(),
    auth: options.auth,
    max_frame: options.maxFrame ?? DEFAULT_MAX_FRAME,
  };
}

/** What a handler process says about itself; the rest of `hello` follows from the challenge. */
export type HelloFacts = Omit<HelloHeader, "type" | "protocol" | "features" | "proof" | "nonce">;

/**
 * Answers a challenge.
 * @param token needed when the challenge asks for `hmac`.
 * @throws RangeError naming both sides' versions when there is no common one, TypeError when the token is missing.
 */
export function buildHello(
  challenge: ChallengeHeader,
  facts: HelloFacts,
  token: string | null,
  nonce: string = createNonce(),
): HelloHeader {
  const protocol = chooseProtocol(PROTOCOL_VERSIONS, challenge.protocols);
  if (protocol === null) {
    throw new RangeError(
      `The host speaks bridge protocol ${challenge.protocols.join(", ")}, this SDK ${PROTOCOL_VERSIONS.join(", ")}: upgrade the older one`,
    );
  }
  const common = { type: "hello", protocol, features: [], ...facts } as const;
  if (challenge.auth === "none") return { ...common, features: [], nonce };
  if (token === null) {
    throw new TypeError("The host asks for a token: name its file in TASKER_BRIDGE_TOKEN_FILE");
  }
  return { ...common, features: [], nonce, proof: handlerProof(token, challenge.nonce, nonce) };
}

/** Decides what the host answers to `hello`. `body` is its body, parsed. */
export function judgeHello(
  challenge: ChallengeHeader,
  hello: HelloHeader,
  body: unknown,
  token: string | null,
): HelloVerdict | HelloRefusal {
  if (!challenge.protocols.includes(hello.protocol)) {
    const offered = challenge.protocols.join(", ");
    const message = `This host speaks bridge protocol ${offered}, the handler process chose ${hello.protocol}: upgrade the older one`;
    return refuse("version", message, [...challenge.protocols]);
  }
  if (challenge.auth === "hmac" && !isHelloProven(challenge, hello, token)) {
    return refuse("auth", "The handler process did not prove that it knows this host's token");
  }
  const names = hello.pools.map((pool) => pool.name);
  if (names.length === 0 || new Set(names).size !== names.length) {
    return refuse("bad_hello", "Expected at least one pool, each name once");
  }
  const manifest = readManifest(body, names);
  if (typeof manifest === "string") return refuse("bad_hello", manifest);
  return { accepted: true, ...manifest };
}

export function buildWelcome(
  challenge: ChallengeHeader,
  hello: HelloHeader,
  token: string | null,
  terms: Pick<
    WelcomeHeader,
    "connection_id" | "ping_ms" | "lease_ms" | "resume_ms" | "keep" | "drop"
  >,
): WelcomeHeader {
  const welcome: WelcomeHeader = {
    type: "welcome",
    protocol: hello.protocol,
    features: hello.features.filter((name) => challenge.features.includes(name)),
    max_frame: Math.min(challenge.max_frame, hello.max_frame),
    ...terms,
  };
  if (challenge.auth === "none" || token === null || !hello.nonce) return welcome;
  return { ...welcome, proof: hostProof(token, challenge.nonce, hello.nonce) };
}

/** True when the host has proven itself, or no proof was asked for. */
export function isWelcomeProven(
  challenge: ChallengeHeader,
  hello: HelloHeader,
  welcome: WelcomeHeader,
  token: string | null,
): boolean {
  if (challenge.auth === "none") return true;
  if (token === null || !hello.nonce) return false;
  return isSameProof(hostProof(token, challenge.nonce, hello.nonce), welcome.proof);
}

export function handlerProof(token: string, hostNonce: string, handlerNonce: string): string {
  return proof(token, "handler", hostNonce, handlerNonce);
}

export function hostProof(token: string, hostNonce: string, handlerNonce: string): string {
  return proof(token, "host", handlerNonce, hostNonce);
}

function isHelloProven(
  challenge: ChallengeHeader,
  hello: HelloHeader,
  token: string | null,
): boolean {
  if (token === null || !hello.nonce) return false;
  return isSameProof(handlerProof(token, challenge.nonce, hello.nonce), hello.proof);
}

function proof(token: string, role: string, peerNonce: string, ownNonce: string): string {
  return createHmac("sha256", token)
    .update(role + peerNonce + ownNonce, "utf8")
    .digest("hex");
}

/** Constant time in the content; the length of a proof is public. */
function isSameProof(expected: string, given: string | null | undefined): boolean {
  if (typeof given !== "string") return false;
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}

function refuse(code: RejectHeader["code"], message: string, supported?: number[]): HelloRefusal {
  const reject: RejectHeader = { type: "reject", code, message };
  return { accepted: false, reject: supported === undefined ? reject : { ...reject, supported } };
}
