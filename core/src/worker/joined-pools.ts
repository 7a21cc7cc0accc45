import type { HandlerManifest } from "@tasker-core/sdk/protocol";
import {
  EventDesk,
  type JoinedPeer,
  PeerFeed,
  type PeerSession,
  type Seat,
} from "../bridge/index.js";
import { FfiDispatchChannel, type FfiDispatchChannelOptions } from "../channels/index.js";
import type { ServingPool } from "./callable-routes.js";
import type { EventRelay } from "./event-relay.js";
import type { PoolSet } from "./pool-set.js";

interface Group {
  readonly pool: ServingPool;
  readonly peers: Set<JoinedPeer>;
  readonly feed: PeerFeed;
  readonly desk: EventDesk;
  readonly relay: EventRelay;
}

export interface JoinedPoolsOptions {
  readonly pools: PoolSet;
  /** Waiting deliveries per running handler at most: bounds the channels. */
  readonly maxPrefetchPerSlot: number;
  readonly channel: Omit<FfiDispatchChannelOptions, "pool" | "capacity">;
  /** Carries events to a kind of process. */
  readonly relay: (language: string, desk: EventDesk) => EventRelay;
  /** A kind of process has come, or the last one of it has gone: routes have to follow. */
  readonly onChange: () => Promise<void>;
}

/** The pools of processes that join and leave: one for each set of handlers, as large as its processes together. */
export class JoinedPools {
  readonly #options: JoinedPoolsOptions;
  readonly #groups = new Map<string, Group>();
  #made = 0;

  constructor(options: JoinedPoolsOptions) {
    this.#options = options;
  }

  get pools(): readonly ServingPool[] {
    return Array.from(this.#groups.values(), ({ pool }) => pool);
  }

  /** Where a process with these handlers works. */
  seat(language: string, handlers: readonly HandlerManifest[]): Seat {
    const { pool, feed, desk } = this.#groupOf(language, handlers);
    return {
      channel: pool.channel,
      onRoom: () => feed.schedule(),
      onEventsChange: () => desk.changed(),
      onEventsFailed: (stream, count) => desk.failed(stream, count),
    };
  }

  async joined(peer: JoinedPeer): Promise<void> {
    const group = this.#groupOf(peer.language, peer.handlers);
    group.peers.add(peer);
    group.feed.schedule();
    group.desk.changed();
    if (group.peers.size === 1) await this.#options.onChange();
  }

  /** Resolves when the work that waited for a kind of process that is no more is on its way to others. */
  async left(peer: JoinedPeer): Promise<void> {
    const key = keyOf(peer.language, peer.handlers);
    const group = this.#groups.get(key);
    group?.peers.delete(peer);
    group?.desk.changed();
    if (group === undefined || group.peers.size > 0) return;
    this.#groups.delete(key);
    group.feed.stop();
    group.relay.close();
    await this.#options.onChange();
    await group.pool.channel.drain(AbortSignal.abort());
    this.#options.pools.remove(group.pool);
  }

  get desks(): readonly EventDesk[] {
    return Array.from(this.#groups.values(), ({ desk }) => desk);
  }

  /** Lets them deal with the events that were published so far. */
  async finishEvents(timeoutMs: number): Promise<void> {
    const relays = Array.from(this.#groups.values(), ({ relay }) => relay);
    await Promise.all(relays.map((relay) => relay.finish(timeoutMs)));
  }

  /** Waits for what they have in hand, as long as the signal allows. */
  async drain(signal: AbortSignal): Promise<void> {
    await Promise.all(this.pools.map(({ channel }) => channel.drain(signal)));
  }

  #groupOf(language: string, handlers: readonly HandlerManifest[]): Group {
    const key = keyOf(language, handlers);
    const existing = this.#groups.get(key);
    if (existing !== undefined) return existing;
    const group = this.#newGroup(language, handlers);
    this.#groups.set(key, group);
    return group;
  }

  #newGroup(language: string, handlers: readonly HandlerManifest[]): Group {
    const peers = new Set<JoinedPeer>();
    const concurrency = (): number => [...peers].reduce((sum, peer) => sum + peer.session.slots, 0);
    this.#made += 1;
    const channel = new FfiDispatchChannel({
      ...this.#options.channel,
      pool: `${language}-joined-${this.#made}`,
      capacity: () => concurrency() * (1 + this.#options.maxPrefetchPerSlot),
    });
    const pool: ServingPool = {
      language,
      callables: callablesOf(handlers),
      channel,
      get concurrency() {
        return concurrency();
      },
    };
    this.#options.pools.add(pool);
    const sessions = (): PeerSession[] => [...peers].map(({ session }) => session);
    const desk = new EventDesk(sessions);
    const relay = this.#options.relay(language, desk);
    return { pool, peers, feed: new PeerFeed(channel, sessions), desk, relay };
  }
}

function callablesOf(handlers: readonly HandlerManifest[]): string[] {
  return handlers.flatMap((handler) => ("callable" in handler ? [handler.callable] : [])).sort();
}

function keyOf(language: string, handlers: readonly HandlerManifest[]): string {
  return JSON.stringify([language, callablesOf(handlers)]);
}
