import type {
  CheckpointHeader,
  ErrorHeader,
  HandlerHeader,
  NackHeader,
  RawHeader,
  ReadyHeader,
  ResultHeader,
} from "@tasker-core/sdk/protocol";
import type {
  CancelReason,
  CompletionVerdict,
  FfiDispatchChannel,
  StepDelivery,
  StepOutcome,
} from "../channels/index.js";
import { messageOf } from "../errors/index.js";
import type { Clock, Timer } from "../lib/clock.js";
import type { Logger } from "../observability/index.js";
import type { BridgeConnection } from "./connection.js";
import { type InFlight, InFlightTable } from "./in-flight.js";
import { hostFailure, outcomeOfError, outcomeOfResult, timeoutFailure } from "./outcome.js";
import { forwardLogs } from "./peer-logs.js";
import { stepHeader } from "./step-header.js";

export interface SessionOptions {
  readonly connection: BridgeConnection;
  readonly channel: FfiDispatchChannel;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The handler process's own name, for the audit trail. */
  readonly workerName: string;
  readonly pool: string;
  readonly slots: number;
  readonly maxFrame: number;
  readonly cancelGraceMs: number;
  readonly pingMs: number;
  /** Room for another delivery may have appeared. */
  readonly onRoom: () => void;
  /** The process should make way for a new one: it stops by itself, or too much of it hangs. */
  readonly onRetire: (reason: string) => void;
}

/** Silent for this many pings: no new work until it speaks again. Silence alone never kills a child. */
const SUSPECT_PINGS = 3;
/** Room for header and lengths in a frame that carries a step. */
const HEADER_ROOM = 64 * 1024;

/**
 * The conversation with one handler process after the handshake: which deliveries it holds, their deadlines, and
 * what its messages mean. Every delivery given to {@link dispatch} is answered in the channel exactly once.
 */
export class PeerSession {
  readonly workerName: string;
  readonly #options: SessionOptions;
  readonly #table: InFlightTable;
  #slots: number;
  #isRetiring = false;
  #soloId: string | null = null;
  #pingTimer: Timer | null = null;
  #pings = 0;
  #answeredCount = 0;
  #staleCount = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.workerName = options.workerName;
    this.#slots = options.slots;
    this.#table = new InFlightTable(options.clock, (entry) => this.#onDue(entry));
    options.connection.listener = {
      message: (header, body) => this.#receive(header, body),
      tooLarge: (header, bytes) => this.#onTooLarge(header, bytes),
      writable: () => options.onRoom(),
    };
    this.#schedulePing();
  }

  /** Deliveries it can take now. */
  get free(): number {
    const { connection } = this.#options;
    if (this.#isRetiring || this.#soloId !== null || !connection.isOpen) return 0;
    if (connection.isCongested || this.#isSuspect()) return 0;
    return Math.max(0, this.#slots - this.#table.size - this.#table.abandonedCount);
  }

  get inFlightCount(): number {
    return this.#table.size;
  }

  get abandonedCount(): number {
    return this.#table.abandonedCount;
  }

  get answeredCount(): number {
    return this.#answeredCount;
  }

  /** Answers that came for deliveries no longer wanted. */
  get staleCount(): number {
    return this.#staleCount;
  }

  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  /** Nothing runs in the process, as far as the host can know. */
  get isIdle(): boolean {
    return this.#table.size === 0 && this.#table.abandonedCount === 0;
  }

  holds(deliveryId: string): boolean {
    return this.#table.get(deliveryId) !== undefined;
  }

  /** Sends a delivery that was polled from the channel. The caller has looked at {@link free}. */
  dispatch(delivery: StepDelivery): void {
    const { connection, maxFrame, pool } = this.#options;
    let body: Uint8Array;
    try {
      body = delivery.payload.bytes();
    } catch (error) {
      const message = `The event of step \`${delivery.stepName}\` could not be written as JSON: ${messageOf(error)}`;
      this.#fail(delivery, hostFailure("handler", "FFI_SERIALIZATION_ERROR", message, PERMANENT));
      return;
    }
    if (body.byteLength + HEADER_ROOM > maxFrame) {
      const message = `The event of step \`${delivery.stepName}\` has ${body.byteLength} bytes; its handler process takes ${maxFrame - HEADER_ROOM}`;
      this.#fail(
        delivery,
        hostFailure("payload_too_large", "payload_too_large", message, PERMANENT),
      );
      return;
    }
    try {
      connection.send(stepHeader(delivery, pool), body);
    } catch (error) {
      const message = `The names and ids of step \`${delivery.stepName}\` do not fit a frame: ${messageOf(error)}`;
      this.#fail(
        delivery,
        hostFailure("payload_too_large", "payload_too_large", message, PERMANENT),
      );
      return;
    }
    this.#table.add(delivery);
    if (delivery.solo) this.#soloId = delivery.deliveryId;
  }

  /** Asks the handler to stop; without an answer within the grace, the host answers for it. */
  cancel(deliveryId: string, reason: CancelReason): void {
    const entry = this.#table.get(deliveryId);
    if (entry === undefined || entry.isAnswered || entry.cancelled !== null) return;
    const { connection, cancelGraceMs } = this.#options;
    connection.send({ type: "cancel", delivery_id: deliveryId, reason, grace_ms: cancelGraceMs });
    this.#table.markCancelled(entry, reason, cancelGraceMs);
  }

  /** Asks for this process to be replaced. */
  retire(reason: string): void {
    this.#isRetiring = true;
    this.#options.onRetire(reason);
  }

  /** Takes nothing more; the handler finishes what it has and exits. */
  drain(graceMs: number, reason: string): void {
    this.#isRetiring = true;
    this.#options.connection.send({ type: "drain", grace_ms: graceMs, reason });
  }

  /** The process is gone: whatever it had not answered goes back at once. */
  async end(message: string, reason: "worker_lost" | "drained"): Promise<void> {
    this.#isRetiring = true;
    this.#table.close();
    this.#pingTimer?.cancel();
    const unanswered = this.#table.unanswered();
    const alone = unanswered.length === 1 && this.#table.abandonedCount === 0;
    for (const id of unanswered) this.#table.finish(id);
    await this.#options.channel.lose(unanswered, {
      alone: alone && reason === "worker_lost",
      message,
      workerName: this.workerName,
      reason,
    });
  }

  #receive(header: HandlerHeader, body: Uint8Array): void {
    const { connection, channel } = this.#options;
    switch (header.type) {
      case "result":
      case "error":
        this.#onTerminal(header, body);
        break;
      case "checkpoint":
        this.#onCheckpoint(header);
        break;
      case "event":
        connection.decline("unsupported", "This host does not take domain events from handlers", {
          type: "event",
          id: header.delivery_id,
        });
        break;
      case "started":
        for (const id of header.deliveries) {
          const entry = this.#table.get(id);
          if (entry !== undefined) this.#table.restart(entry);
        }
        break;
      case "beat":
        for (const { id } of header.deliveries) channel.extendLease(id);
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
        this.#onNack(header);
        break;
      case "drain":
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

  #onTerminal(header: ResultHeader | ErrorHeader, body: Uint8Array): void {
    const entry = this.#table.get(header.delivery_id);
    if (entry === undefined || entry.isAnswered) {
      this.#onLate(header);
      return;
    }
    const { delivery } = entry;
    if (entry.cancelled === "timeout") {
      // The attempt was over at its deadline; the grace is for stopping, and ends with this answer.
      this.#answer(entry, timeoutFailure(delivery, this.#runMs(entry)), header.type);
    } else if (header.type === "result") {
      this.#answer(entry, outcomeOfResult(delivery, header, body), header.type);
    } else {
      this.#answer(entry, outcomeOfError(header, body), header.type);
    }
  }

  #onLate(header: ResultHeader | ErrorHeader): void {
    const { connection } = this.#options;
    const id = header.delivery_id;
    const known = this.#table.get(id) === undefined ? this.#table.recall(id) : "recent";
    if (known === "unknown") {
      connection.nack(
        "unknown_delivery",
        `No delivery \`${id.slice(0, 64)}\` is with this process`,
        {
          type: header.type,
          id,
        },
      );
      return;
    }
    this.#staleCount++;
    connection.ack({ id, kind: header.type, status: "stale" });
    if (known === "abandoned") this.#options.onRoom();
  }

  /** Checkpoints come with a later version of the host; a yield would otherwise leave its step hanging. */
  #onCheckpoint(header: CheckpointHeader): void {
    const detail = "This host does not store checkpoints";
    const ref = { type: "checkpoint", id: header.delivery_id };
    this.#options.connection.decline("unsupported", detail, ref);
    const entry = this.#table.get(header.delivery_id);
    if (!header.yield || entry === undefined || entry.isAnswered) return;
    const message = `Checkpoint yield of step \`${entry.delivery.stepName}\` failed: ${detail.toLowerCase()}`;
    const options = { retryable: false, executionMs: this.#runMs(entry) };
    this.#answer(entry, hostFailure("handler", "checkpoint_error", message, options), "checkpoint");
  }

  #onNack(header: NackHeader): void {
    this.#options.logger.warn({ ...header }, "handler process refused a message");
    const entry = header.ref_id == null ? undefined : this.#table.get(header.ref_id);
    if (header.ref_type !== "step" || entry === undefined || entry.isAnswered) return;
    const isTooLarge = header.code === "too_large";
    const message = `The handler process refused step \`${entry.delivery.stepName}\` (${header.code}): ${header.detail}`;
    const kind = isTooLarge ? "payload_too_large" : "handler";
    const options = { retryable: !isTooLarge, executionMs: 0 };
    this.#answer(
      entry,
      hostFailure(kind, isTooLarge ? kind : "bridge_refused", message, options),
      null,
    );
  }

  #onTooLarge(header: RawHeader | null, bytes: number): void {
    const id = header?.["delivery_id"];
    const entry = typeof id === "string" ? this.#table.get(id) : undefined;
    if (
      entry === undefined ||
      entry.isAnswered ||
      (header?.type !== "result" && header?.type !== "error")
    ) {
      return;
    }
    const message = `Handler \`${entry.delivery.callable}\` of step \`${entry.delivery.stepName}\` answered with ${bytes} bytes; the limit is ${this.#options.maxFrame}`;
    const options = { retryable: false, executionMs: this.#runMs(entry) };
    const failure = hostFailure("payload_too_large", "payload_too_large", message, options);
    this.#answer(entry, failure, header.type);
  }

  #onDue(entry: InFlight): void {
    const { delivery, cancelled } = entry;
    if (cancelled === null) {
      this.cancel(delivery.deliveryId, "timeout");
      return;
    }
    const executionMs = this.#runMs(entry);
    const outcome =
      cancelled === "timeout"
        ? timeoutFailure(delivery, executionMs)
        : hostFailure(
            "cancelled",
            "cancelled",
            `Handler \`${delivery.callable}\` of step \`${delivery.stepName}\` did not stop when asked to (${cancelled})`,
            { retryable: cancelled !== "task_cancelled", executionMs },
          );
    this.#answer(entry, outcome, null);
    this.#table.abandon(delivery.deliveryId);
    if (this.#table.abandonedCount * 2 >= this.#slots) {
      this.retire(`${this.#table.abandonedCount} of its ${this.#slots} slots hang`);
    }
  }

  /** @param ackKind the message to acknowledge; null when the host answers by itself. */
  #answer(
    entry: InFlight,
    outcome: StepOutcome,
    ackKind: "result" | "error" | "checkpoint" | null,
  ): void {
    entry.isAnswered = true;
    this.#answeredCount++;
    void this.#complete(entry, outcome, ackKind); // It reports its own failure.
  }

  /** One async function, because a chain of `then`, `catch` and `finally` showed up in profiles. */
  async #complete(
    entry: InFlight,
    outcome: StepOutcome,
    ackKind: "result" | "error" | "checkpoint" | null,
  ): Promise<void> {
    const { channel, connection, logger, onRoom } = this.#options;
    const id = entry.delivery.deliveryId;
    const acknowledge = (status: CompletionVerdict): void => {
      if (ackKind !== null) connection.ack({ id, kind: ackKind, status });
    };
    try {
      const wasHeld = await channel.complete(id, outcome, this.workerName, acknowledge);
      if (!wasHeld) acknowledge("stale");
    } catch (error) {
      logger.error({ err: error, delivery_id: id }, "completion not taken");
    }
    // Only now: a slow database keeps the slot, and thereby slows dispatching.
    if (this.#table.get(id) === entry) this.#table.finish(id);
    if (this.#soloId === id) this.#soloId = null;
    onRoom();
  }

  #fail(delivery: StepDelivery, outcome: StepOutcome): void {
    const { channel, logger } = this.#options;
    channel
      .complete(delivery.deliveryId, outcome, this.workerName)
      .catch((error: unknown) => logger.error({ err: error }, "completion not taken"));
  }

  #runMs(entry: InFlight): number {
    return Math.round(this.#options.clock.nowMs() - entry.sentAtMs);
  }

  #isSuspect(): boolean {
    const { clock, connection, pingMs } = this.#options;
    return clock.nowMs() - connection.heardAtMs > SUSPECT_PINGS * pingMs;
  }

  #schedulePing(): void {
    const { clock, connection, pingMs, onRoom } = this.#options;
    this.#pingTimer = clock.setTimer(pingMs, () => {
      if (!connection.isOpen) return;
      if (clock.nowMs() - connection.heardAtMs >= pingMs) {
        connection.send({ type: "ping", n: ++this.#pings });
      } else {
        onRoom(); // It may have been a suspect before it spoke.
      }
      this.#schedulePing();
    });
  }
}

const PERMANENT = { retryable: false, executionMs: 0 };

function assertNever(header: never): never {
  throw new TypeError(`Unexpected message ${JSON.stringify(header)}`);
}
