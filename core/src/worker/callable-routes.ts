import { ConfigError } from "../errors/index.js";
import type { Logger } from "../observability/index.js";
import type { PoolSet, WorkerPool } from "./pool-set.js";

/** A pool and what it runs. */
export interface ServingPool extends WorkerPool {
  readonly language: string;
  readonly callables: readonly string[];
}

export interface CallableRoutesOptions {
  readonly pools: PoolSet;
  /** Which language runs a callable that several have, by callable. */
  readonly routes: Readonly<Record<string, string>>;
  /** Tells the database what this host runs; returns the callables' ids in the order given. */
  readonly register: (callables: readonly string[]) => Promise<readonly number[]>;
  readonly logger: Logger;
}

/**
 * Which pool runs which callable: in the database, so that others do not wait for a worker that is not there, and in
 * the pool set, so that claimed steps find their channel. Kinds of processes that join and leave change it.
 */
export class CallableRoutes {
  readonly #options: CallableRoutesOptions;
  readonly #warned = new Set<string>();
  #turn: Promise<void> = Promise.resolve();

  constructor(options: CallableRoutesOptions) {
    this.#options = options;
  }

  /**
   * Puts routes to exactly these pools in force, after the call before it.
   * @param own this host's own pools: where two of them run one callable, a route has to say which
   * @param joined processes that came by themselves; what another pool runs already is left to that one
   * @throws ConfigError CALLABLE_AMBIGUOUS
   */
  async set(own: readonly ServingPool[], joined: readonly ServingPool[]): Promise<void> {
    const run = async (): Promise<void> => this.#set(own, joined);
    const turn = this.#turn.then(run, run);
    this.#turn = turn.catch(() => undefined); // its caller hears of it
    await turn;
  }

  async #set(own: readonly ServingPool[], joined: readonly ServingPool[]): Promise<void> {
    const { pools, register } = this.#options;
    const owners = new Map<string, ServingPool>();
    for (const pool of own)
      this.#claim(owners, pool, (callable, a) => this.#ambiguous(callable, a, pool));
    for (const pool of joined)
      this.#claim(owners, pool, (callable, a) => this.#passOver(callable, a, pool));
    const callables = [...owners.keys()];
    const callableIds = await register(callables);
    pools.setRoutes(
      [...owners].map(([callable, pool], i) => ({
        callable,
        callableId: callableIds[i] ?? 0,
        pool: pools.placeOf(pool),
      })),
    );
  }

  #claim(
    owners: Map<string, ServingPool>,
    pool: ServingPool,
    onConflict: (callable: string, earlier: ServingPool) => void,
  ): void {
    const { routes } = this.#options;
    for (const callable of pool.callables) {
      const earlier = owners.get(callable);
      if (earlier === undefined || earlier.language !== routes[callable]) {
        if (earlier !== undefined && pool.language !== routes[callable])
          onConflict(callable, earlier);
        else owners.set(callable, pool);
      }
    }
  }

  #ambiguous(callable: string, { language: a }: ServingPool, { language: b }: ServingPool): never {
    throw new ConfigError(
      "CALLABLE_AMBIGUOUS",
      `The callable \`${callable}\` is registered by ${a} and by ${b}. Say which one runs it: [worker.routes] "${callable}" = "${a}"`,
    );
  }

  #passOver(callable: string, { channel }: ServingPool, pool: ServingPool): void {
    const what = `${callable} ${channel.pool} ${pool.channel.pool}`;
    if (this.#warned.has(what)) return;
    this.#warned.add(what);
    this.#options.logger.warn(
      { callable, served_by: channel.pool, passed_over: pool.channel.pool },
      `${callable} is run by another pool of this worker already; the process that joined does not get it`,
    );
  }
}
