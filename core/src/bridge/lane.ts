import { messageOf } from "../errors/index.js";
import { Backoff } from "../lib/backoff.js";
import { createDeferred } from "../lib/deferred.js";
import { sleep } from "../lib/sleep.js";
import { type LivePeer, launchPeer } from "./live-peer.js";
import type { BridgeSettings } from "./types.js";

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 30_000;

export interface LaneHooks {
  readonly onRoom: () => void;
  readonly onReady: (peer: LivePeer) => void;
  readonly onLaunchFailed: (error: unknown) => void;
  /** `hasCrashed`: nobody had asked it to go. */
  readonly onGone: (peer: LivePeer, message: string, hasCrashed: boolean) => void;
}

/**
 * Keeps one handler process running: a dead one is replaced at once if it had answered anything, else after a
 * growing pause; one that should go finishes what it has while its successor starts.
 */
export class PeerLane {
  readonly #settings: BridgeSettings;
  readonly #name: string;
  readonly #hooks: LaneHooks;
  readonly #stopping = new AbortController();
  readonly #backoff = new Backoff(FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
  /** Serving, or on the way out. */
  readonly #peers = new Set<LivePeer>();
  readonly #retirements = new Set<Promise<void>>();
  #loop: Promise<void> = Promise.resolve();
  #launches = 0;

  constructor(settings: BridgeSettings, name: string, hooks: LaneHooks) {
    this.#settings = settings;
    this.#name = name;
    this.#hooks = hooks;
  }

  /** Every live process of this lane. */
  get peers(): ReadonlySet<LivePeer> {
    return this.#peers;
  }

  get launchCount(): number {
    return this.#launches;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Ends the process within about `graceMs + killGraceMs`. Never throws. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    await Promise.all(
      [...this.#peers].map((peer) => peer.stop(graceMs, "the worker is shutting down")),
    );
    await this.#loop;
    await Promise.all(this.#retirements);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const answered = await this.#runOne();
      if (answered) this.#backoff.reset();
      else await sleep(this.#settings.clock, this.#backoff.nextMs(), signal).catch(() => undefined);
    }
  }

  /** One process from launch to its end or replacement. True when it had answered anything. */
  async #runOne(): Promise<boolean> {
    const { signal } = this.#stopping;
    const retired = createDeferred<string>();
    let peer: LivePeer;
    try {
      this.#launches++;
      const hooks = { onRoom: this.#hooks.onRoom, onRetire: retired.resolve };
      const name = `${this.#name}.${this.#launches}`;
      peer = await launchPeer(this.#settings, name, hooks, signal);
    } catch (error) {
      if (!signal.aborted) this.#hooks.onLaunchFailed(error);
      return false;
    }
    this.#peers.add(peer);
    if (signal.aborted) {
      await peer.stop(0, "the worker is shutting down");
      this.#peers.delete(peer);
      return false;
    }
    this.#hooks.onReady(peer);
    const end = await Promise.race([
      retired.promise.then((reason) => ({ isRetired: true, text: reason })),
      peer.gone.then((message) => ({ isRetired: false, text: message })),
    ]);
    if (end.isRetired) this.#track(this.#retire(peer, end.text));
    else this.#forget(peer, end.text, !signal.aborted);
    return peer.session.answeredCount > 0;
  }

  async #retire(peer: LivePeer, reason: string): Promise<void> {
    const { logger, drainGraceMs } = this.#settings;
    logger.warn({ worker: peer.session.workerName, reason }, "replacing a handler process");
    await peer.stop(drainGraceMs, reason);
    this.#forget(peer, await peer.gone, false);
  }

  #forget(peer: LivePeer, message: string, hasCrashed: boolean): void {
    this.#peers.delete(peer);
    this.#hooks.onGone(peer, message, hasCrashed);
  }

  #track(retirement: Promise<void>): void {
    const tracked = retirement
      .catch((error: unknown) =>
        this.#settings.logger.error({ err: error }, `retiring a process: ${messageOf(error)}`),
      )
      .finally(() => this.#retirements.delete(tracked));
    this.#retirements.add(tracked);
  }
}
