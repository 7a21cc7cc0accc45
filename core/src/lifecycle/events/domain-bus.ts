import { type DomainEvent, type DomainEventEnvelope, toDomainEvent } from "@tasker-core/sdk/host";
import type { Logger } from "../../observability/index.js";
import { EventBus } from "./event-bus.js";
import type { QueueLimits } from "./subscriber-queue.js";

/**
 * Domain events for subscribers of this host. Those in handler processes get the envelope as the text it was made as:
 * parsing and writing it again would cost it what a JavaScript number cannot hold.
 */
export class DomainEventBus extends EventBus<DomainEvent> {
  readonly envelopes: EventBus<{ readonly name: string; readonly json: string }>;
  /** Events that somebody in this process, or in handler processes, was to get. */
  readonly dispatched = { own: 0, processes: 0 };

  constructor(limits: QueueLimits, logger: Logger) {
    super(limits, logger);
    this.envelopes = new EventBus(limits, logger, this.counts);
  }

  /** @param json the envelope of `contract/wire-types.md` section 7 */
  publishEnvelope(name: string, json: string): void {
    if (this.envelopes.wants(name)) {
      this.dispatched.processes++;
      this.envelopes.publish(name, { name, json });
    }
    if (this.wants(name)) {
      this.dispatched.own++;
      this.publish(name, toDomainEvent(JSON.parse(json) as DomainEventEnvelope));
    }
  }

  /** Those of handler processes included. */
  override queues(): ReturnType<EventBus<DomainEvent>["queues"]> {
    return [...super.queues(), ...this.envelopes.queues()];
  }

  override async close(timeoutMs: number): Promise<void> {
    await Promise.all([super.close(timeoutMs), this.envelopes.close(timeoutMs)]);
  }
}
