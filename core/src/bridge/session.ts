import type { HandlerHeader, ReadyHeader } from "@tasker-core/sdk/protocol";
import type { CancelReason, StepDelivery } from "../channels/index.js";
import type { Timer } from "../lib/clock.js";
import { PeerDeliveries, type PeerDeliveriesOptions } from "./peer-deliveries.js";
import { type EventGreeting, type EventStream, PeerEvents } from "./peer-events.js";
import { forwardLogs } from "./peer-logs.js";

export interface SessionOptions extends Omit<PeerDeliveriesOptions, "onAbandoned"> {
  readonly slots: number;
  readonly pingMs: number;
  /** The process should make way for a new one: it stops by itself, or too much of it hangs. */
  readonly onRetire: (reason: string) => void;
  /** Nothing was heard for {@link LOST_PINGS} pings. Absent for a child: its exit tells, its silence does not. */
  readonly onSilent?: () => void;
  /** What the process said in its `hello`. */
  readonly greeting: EventGreeting;
  readonly onEventsChange: () => void;
  readonly onEventsFailed: (stream: EventStream, count: number) => void;
}

/** Silent for this many pings: no new work until it speaks again. */
const SUSPECT_PINGS = 3;
/** Silent for this many: a socket leads nowhere. */
const LOST_PINGS = 6;

/** The conversation with one handler process after the handshake: what it can take, and what its messages mean. */
export class PeerSession {
  readonly workerName: string;
  readonly events: PeerEvents;
  readonly #options: SessionOptions;
  readonly #deliveries: PeerDeliveries;
  #slots: number;
  #isRetiring = false;
  #isDraining = false;
  #pingTimer: Timer | null = null;
  #pings = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.workerName = options.workerName;
    this.#slots = options.slots;
    this.#deliveries = new PeerDeliveries({ ...options, onAbandoned: () => this.#onAbandoned() });
    this.events = new PeerEvents({
      ...options.greeting,
      connection: options.connection,
      maxFrame: options.maxFrame,
      onChange: options.onEventsChange,
      onFailed: options.onEventsFailed,
    });
    options.connection.listener = {
      message: (header, body) => this.#receive(header, body),
      tooLarge: (header, bytes) => this.#deliveries.tooLarge(header, bytes),
      writable: () => {
        options.onRoom();
        options.onEventsChange();
      },
    };
    this.#schedulePing();
  }

  /** Deliveries it takes at once. */
  get slots(): number {
    return this.#slots;
  }

  /** Deliveries it can take now. */
  get free(): number {
    const { connection } = this.#options;
    const { hasSolo, inFlightCount, abandonedCount } = this.#deliveries;
    if (this.#isRetiring || hasSolo || !connection.isOpen) return 0;
    if (connection.isCongested || this.#isSilentFor(SUSPECT_PINGS)) return 0;
    return Math.max(0, this.#slots - inFlightCount - abandonedCount);
  }

  get inFlightCount(): number {
    return this.#deliveries.inFlightCount;
  }

  /** Given up by the host, perhaps still running. */
  get abandonedCount(): number {
    return this.#deliveries.abandonedCount;
  }

  get answeredCount(): number {
    return this.#deliveries.answeredCount;
  }

  /** Answers that came for deliveries no longer wanted. */
  get staleCount(): number {
    return this.#deliveries.staleCount;
  }

  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  /** It finishes what it has and goes, by its own will or asked to. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Nothing runs in the process, as far as the host can know. */
  get isIdle(): boolean {
    return this.inFlightCount === 0 && this.abandonedCount === 0;
  }

  /** Sends a delivery that was polled from the channel. The caller has looked at {@link free}. */
  dispatch(delivery: StepDelivery): void {
    this.#deliveries.dispatch(delivery);
  }

  /** Asks the handler to stop; without an answer within the grace, the host answers for it. */
  cancel(deliveryId: string, reason: CancelReason): void {
    this.#deliveries.cancel(deliveryId, reason);
  }

  /** Asks for this process to be replaced. */
  retire(reason: string): void {
    this.#isRetiring = true;
    this.#options.onRetire(reason);
  }

  /** Takes nothing more; the handler finishes what it has and exits. */
  drain(graceMs: number, reason: string): void {
    this.#isRetiring = true;
    this.#isDraining = true;
    this.#options.connection.send({ type: "drain", grace_ms: graceMs, reason });
  }

  isInFlight(deliveryId: string): boolean {
    return this.#deliveries.isUnanswered(deliveryId);
  }

  /** The process is back with another connection: it goes on with what it holds, the rest is redelivered. */
  async resume(held: ReadonlySet<string>, slots: number): Promise<void> {
    this.#slots = slots;
    await this.#deliveries.keepOnly(held);
    this.#options.onRoom();
  }

  /** The process is gone: whatever it had not answered goes back at once. Never throws. */
  async end(message: string, reason: "worker_lost" | "drained"): Promise<void> {
    this.#isRetiring = true;
    this.#pingTimer?.cancel();
    await this.#deliveries.end(message, reason);
  }

  #receive(header: HandlerHeader, body: Uint8Array): void {
    const { connection, channel } = this.#options;
    switch (header.type) {
      case "result":
      case "error":
        this.#deliveries.settle(header, body);
        break;
      case "checkpoint":
        this.#deliveries.checkpoint(header, body);
        break;
      case "event":
        this.#deliveries.event(header, body);
        break;
      case "subscribe":
        this.events.interest = {
          lifecycle: header.lifecycle_events,
          domain: header.domain_events,
        };
        break;
      case "notified":
        this.events.notified(header);
        break;
      case "started":
        this.#deliveries.restart(header.deliveries);
        break;
      case "beat":
        for (const { id, progress } of header.deliveries) channel.extendLease(id, progress ?? null);
        break;
      case "ready":
        this.#onReady(header);
        break;
      case "log": {
        const fault = forwardLogs(this.#options.logger, header, body);
        if (fault !== null) connection.nack("invalid_field", fault, { type: "log", id: null });
        break;
      }
      case "ping":
        connection.send({ type: "pong", n: header.n });
        break;
      case "nack":
        this.#options.logger.warn({ ...header }, "handler process refused a message");
        this.#deliveries.refused(header);
        break;
      case "drain":
        this.#isDraining = true;
        this.retire(`drains itself: ${header.reason}`);
        break;
      case "bye":
        this.#isRetiring = true;
        this.#options.logger.debug({ reason: header.reason, code: header.code }, "peer says bye");
        break;
      case "hello":
        connection.nack("unexpected", "The handshake is over", { type: "hello", id: null });
        break;
      case "pong":
        this.#options.onRoom(); // A suspect has spoken again.
        break;
      case "stats":
        break;
      default:
        assertNever(header);
        break;
    }
  }

  #onReady({ pools }: ReadyHeader): void {
    const { pool, onRoom } = this.#options;
    if (Object.hasOwn(pools, pool)) this.#slots = pools[pool] ?? 0;
    onRoom();
  }

  #onAbandoned(): void {
    const { abandonedCount } = this.#deliveries;
    if (abandonedCount * 2 < this.#slots) return;
    this.retire(`${abandonedCount} of its ${this.#slots} slots hang`);
  }

  #isSilentFor(pings: number): boolean {
    const { clock, connection, pingMs } = this.#options;
    return clock.nowMs() - connection.heardAtMs > pings * pingMs;
  }

  #schedulePing(): void {
    const { clock, pingMs } = this.#options;
    this.#pingTimer = clock.setTimer(pingMs, () => {
      this.#ping();
      this.#schedulePing();
    });
  }

  #ping(): void {
    const { clock, connection, pingMs, onRoom, onSilent } = this.#options;
    if (!connection.isOpen) return;
    if (onSilent !== undefined && this.#isSilentFor(LOST_PINGS)) onSilent();
    else if (clock.nowMs() - connection.heardAtMs < pingMs)
      onRoom(); // It may have been a suspect before it spoke.
    else connection.send({ type: "ping", n: ++this.#pings });
  }
}

function assertNever(header: never): never {
  throw new TypeError(`Unexpected message ${JSON.stringify(header)}`);
}
