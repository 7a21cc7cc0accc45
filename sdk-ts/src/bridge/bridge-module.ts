import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { CancelReason } from "../cancellation.js";
import type { BaseSubscriber, DomainEventEnvelope } from "../domain-events/index.js";
import { PublisherRegistry } from "../domain-events/index.js";
import type { LifecycleSubscription } from "../events/event-subscriber.js";
import type {
  BootstrapConfig,
  BootstrapResult,
  FfiModule,
  StepControl,
  StopResult,
  WorkerStatus,
} from "../ffi/module.js";
import type { FfiStepEvent } from "../ffi-event.js";
import { failure } from "../host/encode-result.js";
import type { StepExecution } from "../host/outcome.js";
import type { LogFields, LogLevel } from "../logger.js";
import type { AckHeader, HandlerHeader, HostHeader, NotifyHeader } from "../protocol/index.js";
import { complain } from "../stderr.js";
import { messageOf } from "../thrown.js";
import { SDK_VERSION } from "../version.js";
import { answerFrame } from "./answer-frame.js";
import { type BridgeAddress, isDialled, parseBridgeAddress } from "./channel.js";
import { BridgeConnection, HandshakeError, type Introduction } from "./connection.js";
import { type Delivery, readDelivery } from "./deliveries.js";
import { EventFeed } from "./event-feed.js";
import { LogRing } from "./log-ring.js";
import { Publications } from "./publications.js";

const EXTRA_DELIVERIES = 256;
const SELF_DRAIN_MS = 25_000;
const EXIT_MS = 5_000;
const ACK_MS = 5_000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 5_000;
const MAX_POLLED_EVENTS = 1_000;

interface Setup {
  readonly address: BridgeAddress;
  readonly config: BootstrapConfig;
  readonly workerId: string;
  readonly slots: number;
  readonly pool: string;
  readonly token: string | null;
  readonly resumeId: string | null;
}

/**
 * A worker's connection to its host, over the bridge: steps in, answers out, events, logs, drain. A dialled connection
 * that breaks is opened again; what was running goes on when the host still wants it.
 */
export class BridgeModule implements FfiModule {
  readonly closed: Promise<string>;
  readonly #events: EventFeed;
  readonly #logs: LogRing;
  readonly #publications = new Publications();
  readonly #deliveries = new Map<string, Delivery>();
  readonly #queue: string[] = [];
  /** Answers that the host has not acknowledged, for another connection. */
  readonly #unacked = new Map<string, Uint8Array[]>();
  readonly #arrival = new Set<() => void>();
  readonly #polled: DomainEventEnvelope[] = [];
  #isPolling = false;
  #setup: Setup | null = null;
  #connection: BridgeConnection | null = null;
  #isDraining = false;
  #isClosed = false;
  #seq = 0;
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #settleClosed: (why: string) => void = () => {};

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#logs = new LogRing((header, body) => this.#connection?.send(header, body));
    this.#events = new EventFeed(this.#logs.sink("tasker.events"));
    this.#events.onChange = () => this.#tellInterest();
    this.#events.onIdle = () => this.#onEventsIdle();
  }

  /** Listeners of this process, from handler files. May be called before and after the start. */
  listen(
    lifecycle: readonly LifecycleSubscription[],
    subscribers: readonly BaseSubscriber[],
  ): void {
    this.#events.addLifecycle(lifecycle);
    this.#events.addSubscribers(subscribers);
  }

  async bootstrapWorker(config: BootstrapConfig): Promise<BootstrapResult> {
    if (this.#setup !== null) {
      const { workerId } = this.#setup;
      const message = `Worker ${workerId} is running already`;
      return { success: true, status: "already_running", message, workerId };
    }
    try {
      this.#setup = setupOf(config);
      this.#attach(await BridgeConnection.open(this.#setup.address, this.#introduction()));
    } catch (error) {
      const reason = messageOf(error);
      this.#setup = null;
      return { success: false, status: "error", message: `Cannot join: ${reason}`, error: reason };
    }
    const { workerId } = this.#setup;
    return { success: true, status: "started", message: `Worker ${workerId} has joined`, workerId };
  }

  async stopWorker(): Promise<StopResult> {
    const result = await this.transitionToGracefulShutdown();
    await this.closed;
    return result;
  }

  async transitionToGracefulShutdown(): Promise<StopResult> {
    if (this.#setup === null || this.#isClosed) {
      return { success: true, status: "not_running", message: "The worker is not running" };
    }
    const { workerId } = this.#setup;
    if (this.#isDraining) this.#cancelAll("shutdown");
    else {
      this.#send({ type: "drain", grace_ms: SELF_DRAIN_MS, reason: "the worker stops" });
      this.#drain(SELF_DRAIN_MS);
    }
    return { success: true, status: "stopped", message: `Worker ${workerId} stops`, workerId };
  }

  getWorkerStatus(): WorkerStatus {
    const running = this.isWorkerRunning();
    const isConnected = this.#connection?.isOpen === true;
    return {
      success: true,
      running,
      status: !running
        ? "stopped"
        : this.#isDraining
          ? "draining"
          : isConnected
            ? "connected"
            : "reconnecting",
      workerId: this.#setup?.workerId ?? null,
      handlerCount: this.#setup?.config.handlers?.length ?? 0,
      inFlight: this.#deliveries.size,
    };
  }

  isWorkerRunning(): boolean {
    return this.#setup !== null && !this.#isClosed;
  }

  getVersion(): string {
    return SDK_VERSION;
  }

  healthCheck(): boolean {
    return this.isWorkerRunning() && this.#connection?.isOpen === true;
  }

  pollStepEvents(): FfiStepEvent | null {
    for (let id = this.#queue.shift(); id !== undefined; id = this.#queue.shift()) {
      const delivery = this.#deliveries.get(id);
      if (delivery !== undefined) return delivery.event;
    }
    return null;
  }

  stepControl(eventId: string): StepControl | null {
    const delivery = this.#deliveries.get(eventId);
    if (delivery === undefined) return null;
    const { correlationId } = delivery.event;
    const log = this.#logs.sink("tasker.step", { deliveryId: eventId, correlationId });
    return { timeoutMs: delivery.timeoutMs, cancellation: delivery.cancellation, log };
  }

  completeStepEvent(eventId: string, execution: StepExecution): boolean {
    const delivery = this.#deliveries.get(eventId);
    if (delivery === undefined) return false;
    this.#deliveries.delete(eventId);
    const maxFrame = this.#connection?.maxFrame ?? Number.POSITIVE_INFINITY;
    const frames = [
      ...this.#publications.framesFor(delivery.event, delivery.declaredEvents, execution),
      answerFrame(eventId, execution, maxFrame),
    ];
    this.#unacked.set(eventId, frames);
    this.#logs.flush();
    for (const frame of frames) this.#connection?.sendBytes(frame);
    return true;
  }

  pollInProcessEvents(): DomainEventEnvelope | null {
    this.#isPolling = true;
    return this.#polled.shift() ?? null;
  }

  onArrival(listener: () => void): () => void {
    this.#arrival.add(listener);
    return () => void this.#arrival.delete(listener);
  }

  log(level: LogLevel, message: string, fields: LogFields): void {
    this.#logs.sink("tasker")(level, message, fields);
  }

  #introduction(): Introduction {
    const { config, workerId, slots, pool, token, resumeId } = this.#setup!; // made before the first connection
    const handlers = (config.handlers ?? []).map((handler) => ({ ...handler, pool }));
    const templates = (config.templates ?? []).map((template) => ({ template }));
    return {
      workerId,
      slots,
      pool,
      token,
      resumeId,
      held: [...this.#deliveries.keys(), ...this.#unacked.keys()],
      ...this.#events.interest,
      publishers: PublisherRegistry.instance.registeredNames.slice(0, 256),
      manifest: JSON.stringify([...handlers, ...templates]),
    };
  }

  #attach(connection: BridgeConnection): void {
    this.#connection = connection;
    this.#publications.maxFrame = connection.maxFrame;
    const keep = new Set(connection.welcome.keep ?? []);
    for (const id of [...this.#deliveries.keys()]) {
      if (!keep.has(id)) this.#forget(id, "lease_lost");
    }
    for (const [id, frames] of [...this.#unacked]) {
      if (keep.has(id)) for (const frame of frames) connection.sendBytes(frame);
      else {
        this.#unacked.delete(id);
        this.#publications.dropped(id);
      }
    }
    connection.listen({
      onMessage: (header, body) => this.#receive(header, body),
      onEnd: (why) => this.#onEnd(connection, why),
    });
    if (this.#isDraining) this.#pause();
  }

  #receive(header: HostHeader, body: Uint8Array): void {
    switch (header.type) {
      case "step":
        this.#onStep(header, body);
        return;
      case "ack":
        this.#onAck(header);
        return;
      case "cancel":
        this.#onCancel(header.delivery_id, header.reason);
        return;
      case "notify":
        this.#onNotify(header, body);
        return;
      case "ping":
        this.#send({ type: "pong", n: header.n });
        return;
      case "drain":
        this.#drain(header.grace_ms);
        return;
      case "bye":
        this.#close("the host said goodbye");
        return;
      case "nack":
        this.log("warn", "The host refused a message", {
          message_type: header.ref_type,
          code: header.code,
          detail: header.detail,
        });
        return;
      case "pong":
        return;
      default:
        this.#connection?.nack("unsupported", "Not after the handshake", header.type);
    }
  }

  #onStep(header: Extract<HostHeader, { type: "step" }>, body: Uint8Array): void {
    const id = header.delivery_id;
    if (this.#deliveries.has(id) || this.#unacked.has(id)) {
      this.#connection?.nack("duplicate_delivery", "It is held already", "step", id);
      return;
    }
    if (this.#deliveries.size >= this.#setup!.slots + EXTRA_DELIVERIES) {
      this.#connection?.nack("no_slots", "More steps than slots", "step", id);
      return;
    }
    try {
      this.#deliveries.set(id, readDelivery(header, body));
    } catch (error) {
      const message = `The step's data cannot be read: ${messageOf(error)}`;
      const parts = { kind: "invalid_result", errorType: "invalid_step", message } as const;
      const frame = answerFrame(
        id,
        failure({ ...parts, retryable: false }, 0),
        this.#publications.maxFrame,
      );
      this.#unacked.set(id, [frame]);
      this.#connection?.sendBytes(frame);
      return;
    }
    this.#queue.push(id);
    for (const listener of this.#arrival) listener();
  }

  #onAck(header: AckHeader): void {
    for (const { id, status, unpublished } of header.items) {
      if (!this.#unacked.delete(id)) continue;
      if (status !== "committed") this.#publications.dropped(id);
      else {
        for (const after of this.#publications.stored(id, unpublished ?? [])) {
          this.#events.submit(after);
        }
      }
    }
    this.#leaveIfDone();
  }

  #onCancel(id: string, reason: CancelReason): void {
    const delivery = this.#deliveries.get(id);
    if (delivery !== undefined) delivery.cancellation.cancel(reason);
    // An unacknowledged one has merely crossed its own answer on the wire.
    else if (!this.#unacked.has(id)) {
      this.#connection?.nack("unknown_delivery", "It is not held", "cancel", id);
    }
  }

  #onNotify({ stream, name, seq }: NotifyHeader, body: Uint8Array): void {
    const text = new TextDecoder().decode(body);
    if (stream === "domain" && this.#isPolling && this.#polled.length < MAX_POLLED_EVENTS) {
      this.#polled.push(JSON.parse(text) as DomainEventEnvelope);
      for (const listener of this.#arrival) listener();
    }
    const isTaken = this.#events.offer(stream, name, text, () => {
      this.#seq = seq;
      if (seq % 16 === 0) this.#report();
    });
    if (!isTaken) this.#connection?.nack("no_room", "More events than were dealt with", "notify");
  }

  #report(): void {
    if (this.#seq === 0) return;
    const { lifecycle, domain } = this.#events.failed;
    this.#send({
      type: "notified",
      seq: this.#seq,
      lifecycle_failed: lifecycle,
      domain_failed: domain,
    });
  }

  #onEventsIdle(): void {
    this.#report();
    this.#leaveIfDone();
  }

  #tellInterest(): void {
    if (this.#connection === null) return;
    const { lifecycleEvents, domainEvents } = this.#events.interest;
    this.#send({
      type: "subscribe",
      lifecycle_events: lifecycleEvents,
      domain_events: domainEvents,
    });
  }

  #drain(graceMs: number): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#pause();
    this.#later(graceMs, () => {
      this.#cancelAll("shutdown");
      this.#later(EXIT_MS, () => this.#leave("the drain ran out of time"));
    });
    this.#leaveIfDone();
  }

  #pause(): void {
    this.#send({ type: "ready", pools: { [this.#setup!.pool]: 0 } });
  }

  #leaveIfDone(): void {
    if (!this.#isDraining || this.#deliveries.size > 0) return;
    if (this.#unacked.size === 0 && this.#events.isIdle) this.#leave("drained");
    // Acks follow at once; a host that forgets them must not keep us here.
    else this.#later(ACK_MS, () => this.#deliveries.size === 0 && this.#leave("drained"));
  }

  #leave(reason: string): void {
    if (this.#isClosed) return;
    this.#logs.flush();
    this.#connection?.bye(reason);
    this.#close(reason);
  }

  #onEnd(connection: BridgeConnection, why: string): void {
    if (this.#isClosed || this.#connection !== connection) return;
    this.#connection = null;
    const isFinal = this.#isDraining && this.#deliveries.size === 0;
    if (isFinal || !isDialled(this.#setup!.address)) this.#close(why);
    else void this.#reconnect(connection.welcome.resume_ms, why);
  }

  async #reconnect(resumeMs: number, why: string): Promise<void> {
    complain(`tasker-worker: connection lost (${why}); dialling again`);
    const lost = this.#later(resumeMs, () => {
      // The host has given the steps to others by now.
      for (const id of [...this.#deliveries.keys()]) this.#forget(id, "lease_lost");
    });
    for (
      let delayMs = FIRST_RETRY_MS;
      !this.#isClosed;
      delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)
    ) {
      await new Promise<void>((resolve) => this.#later(delayMs, resolve));
      if (this.#isClosed) return;
      try {
        const connection = await BridgeConnection.open(this.#setup!.address, this.#introduction());
        clearTimeout(lost);
        this.#timers.delete(lost);
        this.#attach(connection);
        return;
      } catch (error) {
        if (error instanceof HandshakeError) {
          this.#close(error.message);
          return;
        }
      }
    }
  }

  #forget(id: string, reason: CancelReason): void {
    const delivery = this.#deliveries.get(id);
    this.#deliveries.delete(id);
    delivery?.cancellation.cancel(reason);
  }

  #cancelAll(reason: CancelReason): void {
    for (const { cancellation } of this.#deliveries.values()) cancellation.cancel(reason);
  }

  #send(header: HandlerHeader): void {
    this.#connection?.send(header);
  }

  #later(delayMs: number, action: () => void): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
    return timer;
  }

  #close(why: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#logs.flush();
    this.#cancelAll("shutdown");
    this.#deliveries.clear();
    this.#settleClosed(why);
  }
}

/** @throws Error naming what is missing */
function setupOf(config: BootstrapConfig): Setup {
  const spec = config.address ?? process.env["TASKER_BRIDGE"];
  if (spec === undefined) {
    throw new Error(
      "no address: set TASKER_BRIDGE to unix:<path> or tcp:<host>:<port> of a worker that was started with --join",
    );
  }
  const address = parseBridgeAddress(spec);
  const tokenFile = process.env["TASKER_BRIDGE_TOKEN_FILE"];
  const token =
    config.token !== undefined
      ? config.token
      : tokenFile === undefined
        ? null
        : readFileSync(tokenFile, "utf8").trim();
  return {
    address,
    config,
    token,
    workerId: config.workerId ?? `typescript-worker-${randomUUID()}`,
    pool: config.pool ?? "default",
    slots: config.slots ?? 10,
    resumeId: isDialled(address) ? randomUUID() : null,
  };
}
