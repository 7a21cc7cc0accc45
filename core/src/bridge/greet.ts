import {
  buildChallenge,
  buildWelcome,
  type ChallengeHeader,
  type HandlerHeader,
  type HandlerManifest,
  type HelloHeader,
  judgeHello,
  type Manifest,
  type RejectHeader,
} from "@tasker-core/sdk/protocol";
import { PeerError } from "../errors/index.js";
import type { Clock } from "../lib/clock.js";
import { createDeferred } from "../lib/deferred.js";
import { findJsonFault } from "../lib/json-text.js";
import type { Secret } from "../lib/secret.js";
import type { BridgeConnection } from "./connection.js";

/** What both sides agreed on. */
export interface Greeting extends Manifest {
  readonly hello: HelloHeader;
  readonly maxFrame: number;
}

/** Whether a process that has proven itself may come in, and with which of the deliveries that it still holds. */
export type Admission =
  | { readonly reject: RejectHeader }
  | { readonly keep: readonly string[]; readonly drop: readonly string[] };

export interface GreetOptions {
  readonly hostId: string;
  readonly connectionId: string;
  readonly maxFrame: number;
  readonly pingMs: number;
  readonly leaseMs: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** For error messages: which process. */
  readonly peer: string;
  /** What both sides have to know; null for a process that the host started itself. */
  readonly token: Secret | null;
  /** How long a broken connection may come back; 0 where it cannot. */
  readonly resumeMs: number;
  /** Asked last, with nothing left that could refuse the process: what it says is in force. Default: everybody. */
  readonly admit?: (hello: HelloHeader, handlers: readonly HandlerManifest[]) => Admission;
}

const WELCOME_ALL: Admission = { keep: [], drop: [] };

/**
 * Runs the handshake on a fresh connection: `challenge`, then `hello` within the time limit, then `welcome`.
 * @throws PeerError `PEER_HANDSHAKE_FAILED`, with the connection closed.
 */
export async function greet(
  connection: BridgeConnection,
  options: GreetOptions,
): Promise<Greeting> {
  const challenge = buildChallenge({
    hostId: options.hostId,
    auth: options.token === null ? "none" : "hmac",
    maxFrame: options.maxFrame,
  });
  const greeting = createDeferred<Greeting>();
  const timer = options.clock.setTimer(options.timeoutMs, () =>
    greeting.reject(failure(options, `said nothing for ${options.timeoutMs} ms`)),
  );
  void connection.closed.then((why) => greeting.reject(failure(options, `connection ${why}`)));
  connection.listener = {
    // Synchronously up to `welcome`: what the peer sends next may be in the same chunk.
    message: (header, body) => answer(connection, challenge, options, header, body, greeting),
    tooLarge: (_, bytes) => greeting.reject(failure(options, `sent a frame of ${bytes} bytes`)),
    writable: () => undefined,
  };
  connection.send(challenge);
  try {
    return await greeting.promise;
  } catch (error) {
    connection.close("handshake failed");
    throw error;
  } finally {
    timer.cancel();
  }
}

function answer(
  connection: BridgeConnection,
  challenge: ChallengeHeader,
  options: GreetOptions,
  header: HandlerHeader,
  body: Uint8Array,
  greeting: { resolve(value: Greeting): void; reject(reason: unknown): void },
): void {
  if (header.type === "bye" || header.type === "nack") {
    const why = header.type === "bye" ? header.reason : header.detail;
    greeting.reject(failure(options, `gave up: ${why}`));
    return;
  }
  if (header.type !== "hello") {
    connection.nack("unexpected", `Expected \`hello\`, got \`${header.type}\``, {
      type: header.type,
      id: null,
    });
    return;
  }
  const token = options.token?.reveal() ?? null;
  const fault = findJsonFault(body);
  const verdict =
    fault === null
      ? judgeHello(challenge, header, JSON.parse(Buffer.from(body).toString()), token)
      : badHello(`Expected the body of \`hello\` to be JSON: ${fault}`);
  const handlers = verdict.accepted ? verdict.handlers : [];
  const admission = verdict.accepted
    ? (options.admit?.(header, handlers) ?? WELCOME_ALL)
    : { reject: verdict.reject };
  if ("reject" in admission) {
    const { reject } = admission;
    connection.send(reject);
    greeting.reject(failure(options, `was refused (${reject.code}): ${reject.message}`));
    return;
  }
  const welcome = buildWelcome(challenge, header, token, {
    connection_id: options.connectionId,
    ping_ms: options.pingMs,
    lease_ms: options.leaseMs,
    resume_ms: options.resumeMs,
    ...(options.resumeMs === 0 ? {} : { keep: [...admission.keep], drop: [...admission.drop] }),
  });
  connection.maxFrame = welcome.max_frame;
  connection.send(welcome);
  const templates = verdict.accepted ? verdict.templates : [];
  greeting.resolve({ hello: header, handlers, templates, maxFrame: welcome.max_frame });
}

function badHello(message: string): { accepted: false; reject: RejectHeader } {
  return { accepted: false, reject: { type: "reject", code: "bad_hello", message } };
}

function failure(options: GreetOptions, what: string): PeerError {
  return new PeerError(
    "PEER_HANDSHAKE_FAILED",
    `Handler process ${options.peer} ${what} during the handshake`,
    { context: { peer: options.peer } },
  );
}
