import type { FfiDispatchChannel } from "../channels/index.js";
import type { Routes } from "../db/functions/index.js";

const SMOOTHING = 0.05;

/** A dispatch channel with what decides how much it may hold. */
export interface WorkerPool {
  readonly channel: FfiDispatchChannel;
  /** Handlers that can run at once. */
  readonly concurrency: number;
}

export interface PoolSetOptions {
  /** Work to have in hand beyond what is running, as time: enough to bridge one round through the database. */
  readonly prefetchMs: number;
  /** Never more than this many waiting deliveries per running handler. */
  readonly maxPrefetchPerSlot: number;
}

/**
 * The host's pools and who runs what. Room is counted by what the channels hold plus what calls under way may bring;
 * fast handlers get a queue of their own so that the database round trip is hidden, slow ones do not hoard.
 */
export class PoolSet {
  readonly #pools: readonly WorkerPool[];
  readonly #options: PoolSetOptions;
  readonly #poolOfCallable = new Map<string, number>();
  readonly #reserved: number[];
  /** Smoothed duration of each pool's handlers, milliseconds; undefined before the first. */
  readonly #averageMs: (number | undefined)[];
  #callableIds: number[] = [];
  #poolNumbers: number[] = [];

  constructor(pools: readonly WorkerPool[], options: PoolSetOptions) {
    this.#pools = pools;
    this.#options = options;
    this.#reserved = pools.map(() => 0);
    this.#averageMs = pools.map(() => undefined);
  }

  get pools(): readonly WorkerPool[] {
    return this.#pools;
  }

  /** Which pool (by its place) runs which callable, and the callables' ids in the database, aligned. */
  setRoutes(routes: readonly { callable: string; callableId: number; pool: number }[]): void {
    const sorted = [...routes].sort((a, b) => a.callableId - b.callableId);
    this.#callableIds = sorted.map((route) => route.callableId);
    this.#poolNumbers = sorted.map((route) => route.pool + 1);
    this.#poolOfCallable.clear();
    for (const route of routes) this.#poolOfCallable.set(route.callable, route.pool);
  }

  poolOf(callable: string): WorkerPool | undefined {
    const place = this.#poolOfCallable.get(callable);
    return place === undefined ? undefined : this.#pools[place];
  }

  /** A handler of a pool took this long: what a pool may queue follows from it. */
  observe(poolName: string, executionMs: number): void {
    const place = this.#pools.findIndex((pool) => pool.channel.pool === poolName);
    const before = this.#averageMs[place];
    this.#averageMs[place] =
      before === undefined ? executionMs : before + (executionMs - before) * SMOOTHING;
  }

  /** Is there room for at least one more step? */
  get hasRoom(): boolean {
    return this.#pools.some((_, place) => this.#free(place) > 0);
  }

  /**
   * Sets room aside for a call that may bring up to `wanted` steps per pool, at most `share` of what is free.
   * Give it back with {@link giveBack}.
   */
  reserve(wanted: number, share: number): Routes {
    const free = this.#pools.map((_, place) =>
      Math.min(wanted, Math.ceil(this.#free(place) * share)),
    );
    free.forEach((count, place) => {
      this.#reserved[place] = (this.#reserved[place] ?? 0) + count;
    });
    return { callableIds: this.#callableIds, pools: this.#poolNumbers, free };
  }

  giveBack(routes: Routes): void {
    routes.free.forEach((count, place) => {
      this.#reserved[place] = (this.#reserved[place] ?? 0) - count;
    });
  }

  #free(place: number): number {
    const pool = this.#pools[place];
    if (pool === undefined) return 0;
    const wanted = pool.concurrency + this.#prefetch(place) - pool.channel.pendingCount;
    return Math.max(0, Math.min(pool.channel.free, wanted) - (this.#reserved[place] ?? 0));
  }

  #prefetch(place: number): number {
    const average = this.#averageMs[place];
    if (average === undefined) return 0;
    const { prefetchMs, maxPrefetchPerSlot } = this.#options;
    const perSlot = Math.min(maxPrefetchPerSlot, prefetchMs / Math.max(average, 0.01));
    return Math.floor((this.#pools[place]?.concurrency ?? 0) * perSlot);
  }
}
