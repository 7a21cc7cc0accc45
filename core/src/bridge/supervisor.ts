import { hostname } from "node:os";
import { DEFAULT_MAX_FRAME, type HandlerManifest } from "@tasker-core/sdk/protocol";
import { messageOf } from "../errors/index.js";
import { orAborted } from "../lib/aborted.js";
import { createDeferred } from "../lib/deferred.js";
import { EventDesk } from "./event-desk.js";
import { PeerLane } from "./lane.js";
import type { LivePeer } from "./live-peer.js";
import { OrphanGuard } from "./orphan-guard.js";
import { PeerFeed } from "./peer-feed.js";
import type { PeerSession } from "./session.js";
import type { BridgeMetrics, BridgeSettings, BridgeSupervisorOptions } from "./types.js";

/**
 * Runs handler processes of one language and feeds them from one dispatch channel: takes a delivery only when a
 * process has a free slot, gives it to the least loaded one, and replaces processes that die or hang.
 */
export class BridgeSupervisor {
  readonly #settings: BridgeSettings;
  /** Where the events go that the processes subscribe to. */
  readonly events = new EventDesk(() => this.#peers().map(({ session }) => session));
  readonly #lanes: PeerLane[];
  readonly #firstReady = createDeferred<readonly HandlerManifest[]>();
  #feed: PeerFeed | null = null;
  #reloading: Promise<unknown> = Promise.resolve();
  #hasBeenReady = false;
  #failedLaunches = 0;
  #crashed = 0;
  /** Of processes that are gone. */
  #pastAnswered = 0;
  #pastStale = 0;

  constructor(options: BridgeSupervisorOptions) {
    this.#settings = withDefaults(options);
    // `start` reports it; without a `start` that still waits there is nobody to tell.
    this.#firstReady.promise.catch(() => undefined);
    this.#lanes = Array.from(
      { length: this.#settings.processes },
      (_, index) =>
        new PeerLane(this.#settings, `${options.language}-${index}`, {
          onRoom: () => this.#feed?.schedule(),
          onEventsChange: () => this.events.changed(),
          onEventsFailed: (stream, count) => this.events.failed(stream, count),
          onReady: (peer) => void this.#onReady(peer),
          onLaunchFailed: (error) => this.#onLaunchFailed(error),
          onGone: (peer, message, hasCrashed) => this.#onGone(peer, message, hasCrashed),
        }),
    );
  }

  /**
   * Starts the processes and begins to take work. Resolves with what can be run once the first one has said hello;
   * the others follow.
   * @throws PeerError `PEER_HANDSHAKE_FAILED` after `startAttempts` failed launches, or the signal's reason; everything
   *   is stopped then.
   */
  async start(signal: AbortSignal): Promise<readonly HandlerManifest[]> {
    this.#feed = new PeerFeed(this.#settings.channel, () =>
      this.#peers().map(({ session }) => session),
    );
    for (const lane of this.#lanes) lane.start();
    try {
      return await orAborted(this.#firstReady.promise, signal);
    } catch (error) {
      await this.stop({ graceMs: 0 });
      throw error;
    }
  }

  /** Takes nothing more, lets the processes finish for `graceMs`, gives back what is left, and ends them. */
  async stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#feed?.stop();
    this.events.close();
    await Promise.all(this.#lanes.map((lane) => lane.stop(graceMs)));
    this.#settings.guard.close();
  }

  /**
   * Replaces every process by a new one, one after the other; each is ready before its predecessor is asked to finish.
   * Resolves with what the new ones run. When one cannot be started those that are left go on as they are.
   * @throws PeerError `PEER_HANDSHAKE_FAILED`
   */
  async reload(reason: string): Promise<readonly HandlerManifest[]> {
    const run = async (): Promise<readonly HandlerManifest[]> => {
      const handlers: (readonly HandlerManifest[])[] = [];
      for (const lane of this.#lanes) handlers.push((await lane.reload(reason)).handlers);
      return handlers[0] ?? [];
    };
    const turn = this.#reloading.then(run, run);
    this.#reloading = turn.catch(() => undefined);
    return await turn;
  }

  /** Deliveries the processes could take now. */
  get freeSlots(): number {
    return this.#peers().reduce((sum, { session }) => sum + session.free, 0);
  }

  metrics(): BridgeMetrics {
    const peers = this.#peers();
    const sum = (count: (session: PeerSession) => number): number =>
      peers.reduce((total, { session }) => total + count(session), 0);
    return {
      spawned: this.#lanes.reduce((total, lane) => total + lane.launchCount, 0),
      crashed: this.#crashed,
      answered: this.#pastAnswered + sum((session) => session.answeredCount),
      stale: this.#pastStale + sum((session) => session.staleCount),
      inFlight: sum((session) => session.inFlightCount),
      abandoned: sum((session) => session.abandonedCount),
      processes: peers.map(({ pid, session }) => ({
        workerName: session.workerName,
        pid,
        inFlight: session.inFlightCount,
      })),
    };
  }

  #peers(): LivePeer[] {
    return this.#lanes.flatMap((lane) => [...lane.peers]);
  }

  async #onReady({ handlers, templates }: LivePeer): Promise<void> {
    this.#hasBeenReady = true;
    this.#feed?.schedule();
    this.events.changed();
    try {
      if (templates.length > 0) await this.#settings.onTemplates(templates);
      this.#firstReady.resolve(handlers);
    } catch (error) {
      this.#settings.logger.error({ err: error }, `templates not registered: ${messageOf(error)}`);
      this.#firstReady.reject(error);
    }
  }

  #onLaunchFailed(error: unknown): void {
    this.#settings.logger.error({ err: error }, `handler process not started: ${messageOf(error)}`);
    this.#failedLaunches++;
    if (!this.#hasBeenReady && this.#failedLaunches >= this.#settings.startAttempts) {
      this.#firstReady.reject(error);
    }
  }

  #onGone({ pid, session }: LivePeer, message: string, hasCrashed: boolean): void {
    this.events.changed();
    this.#pastAnswered += session.answeredCount;
    this.#pastStale += session.staleCount;
    if (hasCrashed) this.#crashed++;
    if (hasCrashed) this.#settings.logger.error({ pid }, message);
    else this.#settings.logger.info({ pid }, message);
  }
}

function withDefaults(options: BridgeSupervisorOptions): BridgeSettings {
  return {
    processes: 1,
    hostId: hostname(),
    handshakeTimeoutMs: 5000,
    startAttempts: 3,
    drainGraceMs: 25_000,
    killGraceMs: 5000,
    cancelGraceMs: 5000,
    pingMs: 5000,
    leaseMs: 30_000,
    maxFrame: DEFAULT_MAX_FRAME,
    onTemplates: () => Promise.resolve(),
    guard: new OrphanGuard(options.logger),
    ...options,
  };
}
