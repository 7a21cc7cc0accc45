import type { Manifest } from "@tasker-core/sdk/protocol";
import { PeerError } from "../errors/index.js";
import { sleep } from "../lib/sleep.js";
import { BridgeConnection } from "./connection.js";
import { greet } from "./greet.js";
import { type EventStream, eventGreeting } from "./peer-events.js";
import { describeExit, type PeerCarrier, PeerProcess } from "./peer-process.js";
import { PeerSession } from "./session.js";
import type { BridgeSettings } from "./types.js";

/** After an exit, how long its last frames may take; after EOF, how long its exit code may. */
const LAST_WORDS_MS = 25;
/** A process that said all it had to say may take this long to exit. */
const EXIT_MS = 1000;

/** A running handler process whose handshake is done. */
export interface LivePeer extends Manifest {
  readonly pid: number;
  readonly session: PeerSession;
  /** Those in the pool this host dispatches to. */
  readonly handlers: Manifest["handlers"];
  /** Settles, with how it ended, when the process is gone and its deliveries are on their way to others. */
  readonly gone: Promise<string>;
  /** Drains it, then ends it by force. Resolves when it is gone. */
  stop(graceMs: number, reason: string): Promise<void>;
}

export interface LaunchHooks {
  readonly onRoom: () => void;
  readonly onRetire: (reason: string) => void;
  readonly onEventsChange: () => void;
  readonly onEventsFailed: (stream: EventStream, count: number) => void;
}

/**
 * Starts a handler process and shakes hands with it.
 * @param signal gives up while the handshake lasts.
 * @throws PeerError `PEER_HANDSHAKE_FAILED` with the process's own last words; it has been killed then.
 */
export async function launchPeer(
  settings: BridgeSettings,
  name: string,
  hooks: LaunchHooks,
  signal: AbortSignal,
): Promise<LivePeer> {
  const logger = settings.logger.child({ peer: name });
  const { clock } = settings;
  const child = settings.open?.() ?? new PeerProcess({ ...settings, logger });
  settings.guard.watch(child);
  const connection = new BridgeConnection(child.channel, { logger, clock });
  const giveUp = (): void => connection.close("the worker is shutting down");
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    const greeting = await greet(connection, {
      hostId: settings.hostId,
      connectionId: name,
      maxFrame: settings.maxFrame,
      pingMs: settings.pingMs,
      leaseMs: settings.leaseMs,
      timeoutMs: settings.handshakeTimeoutMs,
      clock,
      peer: `${name} (${settings.command})`,
      token: null,
      resumeMs: 0,
    });
    const { hello } = greeting;
    const pool = hello.pools.find((one) => one.name === settings.pool) ?? hello.pools[0]!;
    const handlers = greeting.handlers.filter((handler) => handler.pool === pool.name);
    if (handlers.length < greeting.handlers.length) {
      logger.warn({ pool: pool.name }, "handlers in other pools of this process are not served");
    }
    const session = new PeerSession({
      connection,
      channel: settings.channel,
      logger,
      clock,
      workerName: hello.worker_id,
      pool: pool.name,
      slots: pool.slots,
      maxFrame: greeting.maxFrame,
      cancelGraceMs: settings.cancelGraceMs,
      pingMs: settings.pingMs,
      greeting: eventGreeting(hello),
      ...hooks,
    });
    return livePeer(settings, child, connection, session, { ...greeting, handlers });
  } catch (error) {
    const cause =
      error instanceof PeerError ? error : new PeerError("PEER_HANDSHAKE_FAILED", String(error));
    await settleWithin(child.exited, EXIT_MS / 4, settings);
    child.kill("SIGKILL");
    const exit = await child.exited;
    const message = `${cause.message}; it ${describeExit(exit, child.stderrTail)}`;
    throw new PeerError("PEER_HANDSHAKE_FAILED", message, {
      cause,
      context: { ...cause.context, ...exit },
    });
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function livePeer(
  settings: BridgeSettings,
  child: PeerCarrier,
  connection: BridgeConnection,
  session: PeerSession,
  { handlers, templates }: Manifest,
): LivePeer {
  let stopReason: string | null = null;
  const watch = async (): Promise<string> => {
    await Promise.race([child.exited, connection.closed]);
    // Results that were written before the death are still in the socket: they count.
    await settleWithin(Promise.all([child.exited, connection.closed]), LAST_WORDS_MS, settings);
    connection.close("process gone");
    const inFlight = session.inFlightCount;
    const exit = await settleWithin(child.exited, inFlight > 0 ? 0 : EXIT_MS, settings);
    child.kill("SIGKILL");
    const ending =
      exit === null
        ? `closed its channel (${await connection.closed})`
        : describeExit(exit, child.stderrTail);
    const how =
      connection.brokenRule === null
        ? ending
        : `broke the protocol (${connection.brokenRule}) and ${ending}`;
    const message = `Handler process ${session.workerName} (${child.pid === undefined ? "in process" : `pid ${child.pid}`}) ${how}, with ${inFlight} steps in flight`;
    await session.end(message, stopReason === null ? "worker_lost" : "drained");
    await child.exited;
    return message;
  };
  const gone = watch();
  return {
    pid: child.pid ?? 0,
    session,
    handlers,
    templates,
    gone,
    stop: async (graceMs, reason) => {
      stopReason = reason;
      session.drain(graceMs, reason);
      if ((await settleWithin(gone, graceMs, settings)) !== null) return;
      child.kill("SIGTERM");
      if ((await settleWithin(gone, settings.killGraceMs, settings)) !== null) return;
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** The promise's value, or null when it takes longer. */
async function settleWithin<T>(
  promise: Promise<T>,
  delayMs: number,
  { clock }: Pick<BridgeSettings, "clock">,
): Promise<T | null> {
  const done = new AbortController();
  const late = sleep(clock, delayMs, done.signal).then(
    () => null,
    () => null,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    done.abort();
  }
}
