import { setTimeout as sleep } from "node:timers/promises";
import type { EventDesk } from "../bridge/index.js";
import type { DomainEventBus, LifecycleBus } from "../lifecycle/events/index.js";

export interface EventRelayBuses {
  readonly lifecycle: LifecycleBus;
  readonly domain: DomainEventBus;
}

/**
 * Carries the events of this host to the subscribers in the handler processes of one language. What waits for them waits
 * in the bounded queues of the buses, and survives a process that is replaced.
 */
export class EventRelay {
  readonly #desk: EventDesk;
  readonly #buses: EventRelayBuses;
  /** They get nothing more. */
  readonly close: () => void;

  constructor(language: string, desk: EventDesk, buses: EventRelayBuses) {
    this.#desk = desk;
    this.#buses = buses;
    const name = `${language} subscribers`;
    const lifecycle = buses.lifecycle.open(
      (event) => desk.notify("lifecycle", event.type, Buffer.from(JSON.stringify(event))),
      { name },
    );
    const domain = buses.domain.envelopes.open(
      (event) => desk.notify("domain", event.name, Buffer.from(event.json)),
      { name },
    );
    desk.onInterest = (interest) => {
      lifecycle.setPatterns(interest.lifecycle);
      domain.setPatterns(interest.domain);
    };
    desk.onFailed = (stream, count) => {
      buses[stream].counts.failed += count;
    };
    this.close = () => {
      desk.onInterest = null;
      desk.close();
      lifecycle.close();
      domain.close();
    };
  }

  /** Waits until the processes have dealt with what was published, `timeoutMs` at most; they get nothing more then. */
  async finish(timeoutMs: number): Promise<void> {
    const timer = new AbortController();
    const late = sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([this.#idle(), late]);
    timer.abort();
    this.close();
  }

  async #idle(): Promise<void> {
    const { lifecycle, domain } = this.#buses;
    await Promise.all([lifecycle.idle(), domain.envelopes.idle()]);
    await this.#desk.idle();
  }
}
