import {
  buildChallenge,
  buildWelcome,
  type ChallengeHeader,
  type HandlerHeader,
  type HelloHeader,
  judgeHello,
  type Manifest,
  type RejectHeader,
} from "@tasker-core/sdk/protocol";
import { PeerError } from "../errors/index.js";
import type { Clock } from "../lib/clock.js";
import { createDeferred } from "../lib/deferred.js";
import { findJsonFault } from "../lib/json-text.js";
import type { BridgeConnection } from "./connection.js";

/** What both sides agreed on. */
export interface Greeting extends Manifest {
  readonly hello: HelloHeader;
  readonly maxFrame: number;
}

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
}

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
    auth: "none",
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
  const fault = findJsonFault(body);
  const verdict =
    fault === null
      ? judgeHello(challenge, header, JSON.parse(Buffer.from(body).toString()), null)
      : badHello(`Expected the body of \`hello\` to be JSON: ${fault}`);
  if (!verdict.accepted) {
    connection.send(verdict.reject);
    greeting.reject(
      failure(options, `was refused (${verdict.reject.code}): ${verdict.reject.message}`),
    );
    return;
  }
  const welcome = buildWelcome(challenge, header, null, {
    connection_id: options.connectionId,
    ping_ms: options.pingMs,
    lease_ms: options.leaseMs,
    resume_ms: 0,
  });
  connection.maxFrame = welcome.max_frame;
  connection.send(welcome);
  const { handlers, templates } = verdict;
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
