import type { FfiDispatchChannel } from "../channels/index.js";
import type { PriorityClass, Routes } from "../db/functions/index.js";

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
  /** True while no more work is wanted although there is room. */
  readonly isHeld?: () => boolean;
}

/**
 * The host's pools and who runs what. Room is counted by what the channels hold plus what calls under way may bring;
 * fast handlers get a queue of their own so that the database round trip is hidden, slow ones do not hoard.
 */
export class PoolSet {
  /** By place. A pool keeps its place; one that has gone leaves it empty for another. */
  readonly #places: Place[] = [];
  readonly #options: PoolSetOptions;
  readonly #poolOfCallable = new Map<string, number>();
  #callableIds: number[] = [];
  #poolNumbers: number[] = [];
  #waitingClass: PriorityClass = 0;

  constructor(pools: readonly WorkerPool[], options: PoolSetOptions) {
    this.#options = options;
    for (const pool of pools) this.add(pool);
  }

  get pools(): readonly WorkerPool[] {
    return this.#places.flatMap(({ pool }) => pool ?? []);
  }

  /** Returns the pool's place. It gets work once routes lead there. */
  add(pool: WorkerPool): number {
    // A call under way may still give room back to the place's last pool.
    const empty = this.#places.findIndex(
      (place) => place.pool === undefined && place.reserved === 0,
    );
    const place = empty === -1 ? this.#places.length : empty;
    this.#places[place] = { pool, reserved: 0, averageMs: undefined };
    return place;
  }

  /** No routes may lead there any more. */
  remove(pool: WorkerPool): void {
    const place = this.#places.find((one) => one.pool === pool);
    if (place !== undefined) place.pool = undefined;
  }

  placeOf(pool: WorkerPool): number {
    return this.#places.findIndex((place) => place.pool === pool);
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
    return place === undefined ? undefined : this.#places[place]?.pool;
  }

  /** A handler of a pool took this long: what a pool may queue follows from it. */
  observe(poolName: string, executionMs: number): void {
    const place = this.#places.find(({ pool }) => pool?.channel.pool === poolName);
    if (place === undefined) return;
    const before = place.averageMs;
    place.averageMs =
      before === undefined ? executionMs : before + (executionMs - before) * SMOOTHING;
  }

  /** Does anything here run anything? A server's pools do not: it neither claims nor wants to be woken for steps. */
  get servesAny(): boolean {
    return this.#callableIds.length > 0;
  }

  /** Is there room for at least one more step? */
  get hasRoom(): boolean {
    return this.servesAny && this.#places.some((place) => this.#free(place) > 0);
  }

  /**
   * Sets room aside for a call that may bring up to `wanted` steps per pool, at most `share` of what is free.
   * Give it back with {@link giveBack}.
   */
  reserve(wanted: number, share: number): Routes {
    const free = this.#places.map((place) =>
      Math.min(wanted, Math.ceil(this.#free(place) * share)),
    );
    free.forEach((count, i) => {
      this.#reserve(i, count);
    });
    return {
      callableIds: this.#callableIds,
      pools: this.#poolNumbers,
      free,
      waitingClass: this.#waitingClass,
    };
  }

  /** A queue scan found this to be the highest class of which more steps may wait; null: none does. */
  setWaitingClass(waitingClass: PriorityClass | null): void {
    this.#waitingClass = waitingClass ?? 0;
  }

  giveBack(routes: Routes): void {
    routes.free.forEach((count, i) => {
      this.#reserve(i, -count);
    });
  }

  #reserve(i: number, count: number): void {
    const place = this.#places[i];
    if (place !== undefined) place.reserved += count;
  }

  #free(place: Place): number {
    const { pool, reserved } = place;
    if (pool === undefined || this.#options.isHeld?.() === true) return 0;
    const wanted = pool.concurrency + this.#prefetch(place) - pool.channel.pendingCount;
    return Math.max(0, Math.min(pool.channel.free, wanted) - reserved);
  }

  #prefetch({ pool, averageMs }: Place): number {
    if (averageMs === undefined) return 0;
    const { prefetchMs, maxPrefetchPerSlot } = this.#options;
    const perSlot = Math.min(maxPrefetchPerSlot, prefetchMs / Math.max(averageMs, 0.01));
    return Math.floor((pool?.concurrency ?? 0) * perSlot);
  }
}

interface Place {
  pool: WorkerPool | undefined;
  /** Room that calls under way may fill. */
  reserved: number;
  /** Smoothed duration of the pool's handlers, milliseconds; undefined before the first. */
  averageMs: number | undefined;
}
