import { messageOf } from "../errors/index.js";
import { Backoff } from "../lib/backoff.js";
import { createDeferred, type Deferred } from "../lib/deferred.js";
import { sleep } from "../lib/sleep.js";
import { type LivePeer, launchPeer } from "./live-peer.js";
import type { EventStream } from "./peer-events.js";
import type { BridgeSettings } from "./types.js";

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 30_000;

export interface LaneHooks {
  readonly onRoom: () => void;
  readonly onEventsChange: () => void;
  readonly onEventsFailed: (stream: EventStream, count: number) => void;
  readonly onReady: (peer: LivePeer) => void;
  readonly onLaunchFailed: (error: unknown) => void;
  /** `hasCrashed`: nobody had asked it to go. */
  readonly onGone: (peer: LivePeer, message: string, hasCrashed: boolean) => void;
}

/** The process that serves, from the lane's point of view. */
interface Serving {
  /** Why it should make way. */
  readonly end: Deferred<string>;
  /** Takes its place when it goes, for whatever reason. */
  successor: LivePeer | undefined;
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
  readonly #ends = new WeakMap<LivePeer, Deferred<string>>();
  #loop: Promise<void> = Promise.resolve();
  #current: Serving | undefined;
  /** Between two attempts to start. */
  #waiting: Deferred<LivePeer> | undefined;
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

  /**
   * Replaces the process by a new one, which is ready before the old one is asked to finish. When it cannot be started
   * the old one stays. One reload at a time.
   * @throws PeerError `PEER_HANDSHAKE_FAILED`
   */
  async reload(reason: string): Promise<LivePeer> {
    const successor = await this.#launch(this.#stopping.signal);
    if (this.#current !== undefined) {
      this.#current.successor = successor;
      this.#current.end.resolve(reason);
    } else if (this.#waiting !== undefined) {
      this.#waiting.resolve(successor);
    } else {
      await successor.stop(0, reason); // the lane stops, or has just started one itself
    }
    return successor;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let next: LivePeer | undefined;
    while (!signal.aborted) {
      const peer = next ?? (await this.#launchOrReport());
      if (peer === undefined) {
        next = await this.#pause();
        continue;
      }
      next = await this.#serve(peer);
      if (peer.session.answeredCount > 0 || next !== undefined) this.#backoff.reset();
      else next = await this.#pause();
    }
    await next?.stop(0, "the worker is shutting down");
  }

  /** Until the next attempt; a reload may bring a process meanwhile. */
  async #pause(): Promise<LivePeer | undefined> {
    const { clock } = this.#settings;
    const waiting = createDeferred<LivePeer>();
    this.#waiting = waiting;
    const done = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, done.signal]);
    const late = sleep(clock, this.#backoff.nextMs(), signal).then(
      () => undefined,
      () => undefined,
    );
    try {
      return await Promise.race([waiting.promise, late]);
    } finally {
      this.#waiting = undefined;
      done.abort();
    }
  }

  async #launchOrReport(): Promise<LivePeer | undefined> {
    const { signal } = this.#stopping;
    try {
      return await this.#launch(signal);
    } catch (error) {
      if (!signal.aborted) this.#hooks.onLaunchFailed(error);
      return undefined;
    }
  }

  async #launch(signal: AbortSignal): Promise<LivePeer> {
    this.#launches++;
    const end = createDeferred<string>();
    const hooks = { ...this.#hooks, onRetire: end.resolve };
    const peer = await launchPeer(this.#settings, `${this.#name}.${this.#launches}`, hooks, signal);
    this.#ends.set(peer, end);
    return peer;
  }

  /** One process from its start to its end or replacement. Resolves with the one that replaces it, if that is there. */
  async #serve(peer: LivePeer): Promise<LivePeer | undefined> {
    const { signal } = this.#stopping;
    const serving: Serving = {
      end: this.#ends.get(peer) ?? createDeferred(),
      successor: undefined,
    };
    this.#peers.add(peer);
    if (signal.aborted) {
      await peer.stop(0, "the worker is shutting down");
      this.#peers.delete(peer);
      return undefined;
    }
    this.#current = serving;
    this.#hooks.onReady(peer);
    const result = await Promise.race([
      serving.end.promise.then((text) => ({ isRetired: true, text })),
      peer.gone.then((text) => ({ isRetired: false, text })),
    ]);
    this.#current = undefined;
    if (result.isRetired) this.#track(this.#retire(peer, result.text));
    else this.#forget(peer, result.text, !signal.aborted);
    return serving.successor;
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
