import type { EventDesk, JoinedPeer } from "../bridge/index.js";
import { JoinDoor, type JoinDoorOptions } from "../bridge/index.js";
import type { Logger } from "../observability/index.js";
import type { CallableRoutes, ServingPool } from "./callable-routes.js";
import type { CodeTemplates } from "./code-templates.js";
import { JoinedPools, type JoinedPoolsOptions } from "./joined-pools.js";

/** What the configuration says about processes that join; the rest of the door is the worker's. */
export type JoinOptions = Pick<
  JoinDoorOptions,
  | "addresses"
  | "tls"
  | "token"
  | "handshakeTimeoutMs"
  | "maxProcesses"
  | "maxFrame"
  | "pingMs"
  | "resumeMs"
  | "cancelGraceMs"
  | "drainGraceMs"
>;

export interface JoinedHostOptions
  extends Pick<JoinDoorOptions, "hostId" | "leaseMs" | "clock">,
    Omit<JoinedPoolsOptions, "onChange"> {
  readonly join: JoinOptions;
  readonly routes: CallableRoutes;
  /** The worker's own pools: what they run is theirs. */
  readonly own: readonly ServingPool[];
  readonly codeTemplates: CodeTemplates;
  /** Other steps than before can run now. */
  readonly onRoutesChanged: () => void;
  readonly logger: Logger;
}

/** Where handler processes join a worker, and the pools in which they work: routes follow whoever comes and goes. */
export class JoinedHost {
  readonly #options: JoinedHostOptions;
  readonly #pools: JoinedPools;
  readonly #door: JoinDoor;

  constructor(options: JoinedHostOptions) {
    this.#options = options;
    this.#pools = new JoinedPools({
      ...options,
      onChange: async () => {
        await options.routes.set(options.own, this.#pools.pools);
        options.onRoutesChanged();
      },
    });
    this.#door = new JoinDoor({
      ...options,
      ...options.join,
      seat: (language, handlers) => this.#pools.seat(language, handlers),
      onJoined: (peer) => this.#report(this.#welcome(peer)),
      onGone: (peer) => this.#report(this.#pools.left(peer)),
    });
  }

  get pools(): readonly ServingPool[] {
    return this.#pools.pools;
  }

  get desks(): readonly EventDesk[] {
    return this.#pools.desks;
  }

  /** As handler processes name them in `TASKER_BRIDGE`. */
  get addresses(): readonly string[] {
    return this.#door.addresses;
  }

  /** @throws ConfigError JOIN_ADDRESS_UNUSABLE */
  async open(): Promise<void> {
    await this.#door.open();
  }

  /** Waits for what the processes have in hand, as long as the signal allows. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.#pools.drain(signal);
  }

  async finishEvents(withinMs: number): Promise<void> {
    await this.#pools.finishEvents(withinMs);
  }

  async close(graceMs: number): Promise<void> {
    await this.#door.close(graceMs);
  }

  async #welcome(peer: JoinedPeer): Promise<void> {
    await this.#options.codeTemplates.define(peer.language, peer.templates);
    if (!peer.hasEnded) await this.#pools.joined(peer); // it may have left meanwhile
  }

  #report(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#options.logger.error(
        { err: error },
        "the routes of this worker were not brought up to date",
      );
    });
  }
}
