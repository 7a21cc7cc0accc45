import type { HandlerManifest, HelloHeader } from "@tasker-core/sdk/protocol";
import type { FfiDispatchChannel } from "../channels/index.js";
import type { Clock, Timer } from "../lib/clock.js";
import { createDeferred } from "../lib/deferred.js";
import { sleep } from "../lib/sleep.js";
import type { Logger } from "../observability/index.js";
import type { BridgeConnection } from "./connection.js";
import type { Admission, Greeting } from "./greet.js";
import { type EventStream, eventGreeting } from "./peer-events.js";
import { ResumableLink } from "./peer-link.js";
import { PeerSession } from "./session.js";

export interface JoinedPeerSettings {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pingMs: number;
  readonly cancelGraceMs: number;
  /** How long a process that the host wants to go may finish what it has. */
  readonly drainGraceMs: number;
  /** How long a broken connection may come back. */
  readonly resumeMs: number;
}

/** Where a joined process works: the channel that it shares with others of its kind. */
export interface Seat {
  readonly channel: FfiDispatchChannel;
  readonly onRoom: () => void;
  readonly onEventsChange: () => void;
  readonly onEventsFailed: (stream: EventStream, count: number) => void;
}

/** A place for a new process that runs these. */
export type SeatOf = (language: string, handlers: readonly HandlerManifest[]) => Seat;

/**
 * A handler process that came by itself, over a socket. A connection that breaks may be replaced by the same process
 * within the resume time: it goes on with what it holds. After that, what it held is redelivered.
 */
export class JoinedPeer {
  readonly workerId: string;
  readonly language: string;
  readonly pid: number;
  readonly handlers: readonly HandlerManifest[];
  /** Task templates that it defines in code. */
  readonly templates: Greeting["templates"];
  readonly session: PeerSession;
  /** Settles, with how it ended, when its deliveries are on their way to others. */
  readonly gone: Promise<string>;
  readonly #settings: JoinedPeerSettings;
  readonly #link: ResumableLink;
  readonly #resumeId: string | null;
  readonly #gone = createDeferred<string>();
  readonly #poolName: string;
  #resumeTimer: Timer | null = null;
  #isAskedToGo = false;
  #hasEnded = false;

  constructor(
    greeting: Greeting,
    connection: BridgeConnection,
    seatOf: SeatOf,
    settings: JoinedPeerSettings,
  ) {
    const { hello } = greeting;
    const pool = hello.pools[0]!; // the handshake refuses a process without pools
    this.#settings = settings;
    this.workerId = hello.worker_id;
    this.language = hello.language;
    this.pid = hello.pid;
    this.handlers = greeting.handlers.filter((handler) => handler.pool === pool.name);
    this.templates = greeting.templates;
    this.gone = this.#gone.promise;
    this.#poolName = pool.name;
    this.#resumeId = hello.resume_id ?? null;
    this.#link = new ResumableLink(connection);
    const seat = seatOf(hello.language, this.handlers);
    this.session = new PeerSession({
      connection: this.#link,
      channel: seat.channel,
      logger: settings.logger,
      clock: settings.clock,
      workerName: hello.worker_id,
      pool: pool.name,
      slots: pool.slots,
      maxFrame: greeting.maxFrame,
      cancelGraceMs: settings.cancelGraceMs,
      pingMs: settings.pingMs,
      greeting: eventGreeting(hello),
      onRoom: seat.onRoom,
      onEventsChange: seat.onEventsChange,
      onEventsFailed: seat.onEventsFailed,
      onRetire: (reason) => void this.stop(settings.drainGraceMs, reason),
      onSilent: () => this.#link.connection.close("nothing was heard from it"),
    });
    void this.#watch(connection);
  }

  /** It will not come back. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get isConnected(): boolean {
    return this.#link.isOpen;
  }

  /** Is this the process that this peer speaks with, back after its connection broke? */
  isResumedBy(hello: HelloHeader): boolean {
    return (
      !this.#hasEnded &&
      this.#resumeId !== null &&
      hello.resume_id === this.#resumeId &&
      hello.pools[0]?.name === this.#poolName
    );
  }

  /** What the process may go on with, and what is no longer wanted of what it holds. */
  admission(hello: HelloHeader): Admission {
    const held = hello.held ?? [];
    return {
      keep: held.filter((id) => this.session.isInFlight(id)),
      drop: held.filter((id) => !this.session.isInFlight(id)),
    };
  }

  /** Goes on over a new connection of the same process. */
  async resume(connection: BridgeConnection, hello: HelloHeader): Promise<void> {
    this.#resumeTimer?.cancel();
    this.#resumeTimer = null;
    this.#link.replace(connection);
    void this.#watch(connection);
    this.session.events.resume(eventGreeting(hello));
    await this.session.resume(new Set(hello.held ?? []), hello.pools[0]?.slots ?? 0);
  }

  /** A process that has started anew under the same name: this one will not come back. */
  async supersede(): Promise<void> {
    await this.#end("was replaced by a new process of the same name");
  }

  /** Asks it to finish and go; closes the connection after the grace. Never throws. */
  async stop(graceMs: number, reason: string): Promise<void> {
    this.#isAskedToGo = true;
    if (!this.isConnected) await this.#end(reason);
    else if (!this.session.isDraining) this.session.drain(graceMs, reason);
    const late = new AbortController();
    const timeout = sleep(this.#settings.clock, graceMs, late.signal).then(
      () => this.#link.connection.close(reason),
      () => undefined,
    );
    await Promise.race([this.gone, timeout]);
    late.abort();
    await this.gone;
  }

  async #watch(connection: BridgeConnection): Promise<void> {
    const why = await connection.closed;
    if (this.#link.connection !== connection) return; // it goes on over another one
    const { clock, logger, resumeMs } = this.#settings;
    const isLeaving = this.#isAskedToGo || this.session.isRetiring;
    if (isLeaving || this.#resumeId === null || connection.brokenRule !== null) {
      await this.#end(why);
      return;
    }
    logger.warn({ worker: this.workerId, resume_ms: resumeMs }, `connection lost: ${why}`);
    this.#resumeTimer = clock.setTimer(resumeMs, () => void this.#end(why));
  }

  async #end(why: string): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#resumeTimer?.cancel();
    this.#link.connection.close(why);
    const { inFlightCount } = this.session;
    const message = `Handler process ${this.workerId} (${this.language}, pid ${this.pid}) is gone (${why}), with ${inFlightCount} steps in flight`;
    const isOrderly = this.#isAskedToGo || this.session.isRetiring;
    await this.session.end(message, isOrderly ? "drained" : "worker_lost");
    this.#gone.resolve(message);
  }
}
