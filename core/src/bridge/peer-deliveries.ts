import type {
  CheckpointHeader,
  ErrorHeader,
  EventHeader,
  NackHeader,
  RawHeader,
  ResultHeader,
} from "@tasker-core/sdk/protocol";
import type {
  CancelReason,
  CompletionVerdict,
  FfiDispatchChannel,
  StepDelivery,
  StepOutcome,
  StepYield,
} from "../channels/index.js";
import { messageOf } from "../errors/index.js";
import type { Clock } from "../lib/clock.js";
import type { Logger } from "../observability/index.js";
import { handlerEvent } from "./handler-event.js";
import { type InFlight, InFlightTable } from "./in-flight.js";
import {
  hostFailure,
  outcomeOfError,
  outcomeOfResult,
  outcomeOfYield,
  timeoutFailure,
} from "./outcome.js";
import type { PeerLink } from "./peer-link.js";
import { stepHeader } from "./step-header.js";

export interface PeerDeliveriesOptions {
  readonly connection: PeerLink;
  readonly channel: FfiDispatchChannel;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The handler process's own name, for the audit trail. */
  readonly workerName: string;
  readonly pool: string;
  readonly maxFrame: number;
  readonly cancelGraceMs: number;
  /** Room for another delivery may have appeared. */
  readonly onRoom: () => void;
  /** A delivery was given up that may go on running in the process. */
  readonly onAbandoned: () => void;
}

type AckKind = "result" | "error" | "checkpoint";

/** Room for header and lengths in a frame that carries a step. */
const HEADER_ROOM = 64 * 1024;
/** Of one delivery: a template declares far fewer. */
const MAX_EVENTS = 256;
const PERMANENT = { retryable: false, executionMs: 0 };

/**
 * The deliveries that one handler process holds: sending them, their deadlines, and what became of them. Each one
 * given to {@link dispatch} is answered in the channel exactly once.
 */
export class PeerDeliveries {
  readonly #options: PeerDeliveriesOptions;
  readonly #table: InFlightTable;
  #soloId: string | null = null;
  #answeredCount = 0;
  #staleCount = 0;

  constructor(options: PeerDeliveriesOptions) {
    this.#options = options;
    this.#table = new InFlightTable(options.clock, (entry) => this.#onDue(entry));
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

  /** One runs that wants the process for itself. */
  get hasSolo(): boolean {
    return this.#soloId !== null;
  }

  /** Sends a delivery that was polled from the channel. The caller knows that there is room. */
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

  /** Steps that waited in the process and run only now: their deadlines count from here. */
  restart(deliveryIds: readonly string[]): void {
    for (const id of deliveryIds) {
      const entry = this.#table.get(id);
      if (entry !== undefined) this.#table.restart(entry);
    }
  }

  /** The handler's answer. */
  settle(header: ResultHeader | ErrorHeader, body: Uint8Array): void {
    const entry = this.#table.get(header.delivery_id);
    if (entry === undefined || entry.isAnswered) {
      this.#acknowledgeLate(header);
      return;
    }
    const { delivery } = entry;
    if (entry.cancelled === "timeout") {
      // The attempt was over at its deadline; the grace is for stopping, and ends with this answer.
      this.#answer(entry, timeoutFailure(delivery, this.#runMs(entry)), header.type);
    } else if (header.type === "result") {
      this.#answer(entry, withEvents(outcomeOfResult(delivery, header, body), entry), header.type);
    } else {
      this.#answer(entry, withEvents(outcomeOfError(header, body), entry), header.type);
    }
  }

  /** What a publisher made of an event: held until the step is settled. */
  event(header: EventHeader, body: Uint8Array): void {
    const { connection } = this.#options;
    const ref = { type: "event", id: header.delivery_id };
    const entry = this.#table.get(header.delivery_id);
    if (entry === undefined || entry.isAnswered) {
      connection.decline("unknown_delivery", "Events come before the answer of their step", ref);
      return;
    }
    entry.events ??= [];
    const event = handlerEvent(header, body);
    if (typeof event === "string") connection.nack("invalid_field", event, ref);
    else if (entry.events.length < MAX_EVENTS) entry.events.push(event);
    else connection.nack("too_large", `More than ${MAX_EVENTS} events of one step`, ref);
  }

  /** A handler's progress. One that does not end its delivery is not taken: only yields are stored. */
  checkpoint(header: CheckpointHeader, body: Uint8Array): void {
    const entry = this.#table.get(header.delivery_id);
    if (entry === undefined || entry.isAnswered) {
      this.#acknowledgeLate(header);
      return;
    }
    if (!header.yield) {
      const ref = { type: "checkpoint", id: header.delivery_id };
      const detail = "This host stores only checkpoints that yield";
      this.#options.connection.decline("unsupported", detail, ref);
      return;
    }
    const { delivery } = entry;
    const runMs = this.#runMs(entry);
    const outcome =
      entry.cancelled === "timeout"
        ? timeoutFailure(delivery, runMs)
        : outcomeOfYield(delivery, header, body, runMs);
    if (outcome.outcome === "yield") this.#yield(entry, outcome, header.seq);
    else this.#answer(entry, outcome, header.type);
  }

  /** The process did not take a message; when that was a step, the step fails. */
  refused(header: NackHeader): void {
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

  /** An answer was over the limit; `header` is null when it was unreadable. */
  tooLarge(header: RawHeader | null, bytes: number): void {
    const id = header?.["delivery_id"];
    const entry = typeof id === "string" ? this.#table.get(id) : undefined;
    if (
      entry === undefined ||
      entry.isAnswered ||
      (header?.type !== "result" && header?.type !== "error" && header?.type !== "checkpoint")
    ) {
      return;
    }
    const message = `Handler \`${entry.delivery.callable}\` of step \`${entry.delivery.stepName}\` answered with ${bytes} bytes; the limit is ${this.#options.maxFrame}`;
    const options = { retryable: false, executionMs: this.#runMs(entry) };
    const failure = hostFailure("payload_too_large", "payload_too_large", message, options);
    this.#answer(entry, failure, header.type);
  }

  /** With the process, and wanted. */
  isUnanswered(deliveryId: string): boolean {
    return this.#table.get(deliveryId)?.isAnswered === false;
  }

  /** The process came back and no longer knows the others: they go back at once. Never throws. */
  async keepOnly(held: ReadonlySet<string>): Promise<void> {
    const missing = this.#table.unanswered().filter((id) => !held.has(id));
    const message = `Handler process ${this.#options.workerName} came back without the step`;
    await this.#lose(missing, message, { alone: false, reason: "worker_lost" });
  }

  /** The process is gone: whatever it had not answered goes back at once. Never throws. */
  async end(message: string, reason: "worker_lost" | "drained"): Promise<void> {
    this.#table.close();
    const unanswered = this.#table.unanswered();
    const isAlone = unanswered.length === 1 && this.#table.abandonedCount === 0;
    await this.#lose(unanswered, message, { alone: isAlone && reason === "worker_lost", reason });
  }

  async #lose(
    ids: readonly string[],
    message: string,
    loss: { readonly alone: boolean; readonly reason: "worker_lost" | "drained" },
  ): Promise<void> {
    if (ids.length === 0) return;
    for (const id of ids) {
      this.#table.finish(id);
      if (this.#soloId === id) this.#soloId = null;
    }
    const { channel, logger, workerName } = this.#options;
    try {
      await channel.lose(ids, { ...loss, message, workerName });
    } catch (error) {
      // The sink is closed: the leases bring the steps back.
      logger.error({ err: error, deliveries: ids }, "lost steps could not be given back");
    }
  }

  #acknowledgeLate(header: ResultHeader | ErrorHeader | CheckpointHeader): void {
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
    const seq = header.type === "checkpoint" ? { seq: header.seq } : {};
    connection.ack({ id, kind: header.type, ...seq, status: "stale" });
    if (known === "abandoned") this.#options.onRoom();
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
    this.#options.onAbandoned();
  }

  /** @param ackKind the message to acknowledge; null when the host answers by itself. */
  #answer(entry: InFlight, outcome: StepOutcome, ackKind: AckKind | null): void {
    entry.isAnswered = true;
    this.#answeredCount++;
    void this.#complete(entry, outcome, ackKind); // It reports its own failure.
  }

  /** One async function, because a chain of `then`, `catch` and `finally` showed up in profiles. */
  async #complete(entry: InFlight, outcome: StepOutcome, ackKind: AckKind | null): Promise<void> {
    const { channel, connection, logger, workerName } = this.#options;
    const id = entry.delivery.deliveryId;
    const acknowledge = (status: CompletionVerdict): void => {
      if (ackKind !== null) connection.ack({ id, kind: ackKind, status, ...unpublished(entry) });
    };
    try {
      const wasHeld = await channel.complete(id, outcome, workerName, acknowledge);
      if (!wasHeld) acknowledge("stale");
    } catch (error) {
      logger.error({ err: error, delivery_id: id }, "completion not taken");
    }
    this.#finish(entry);
  }

  #yield(entry: InFlight, progress: StepYield, seq: number): void {
    entry.isAnswered = true;
    this.#answeredCount++;
    void this.#store(entry, progress, seq); // It reports its own failure.
  }

  /** Holds the slot until the database has decided: the delivery with which the step goes on takes it next. */
  async #store(entry: InFlight, progress: StepYield, seq: number): Promise<void> {
    const { channel, connection, logger, workerName } = this.#options;
    const id = entry.delivery.deliveryId;
    try {
      const status = await channel.checkpointYield(id, progress, workerName);
      connection.ack({ id, kind: "checkpoint", seq, status });
    } catch (error) {
      logger.error({ err: error, delivery_id: id }, "checkpoint not taken");
    }
    this.#finish(entry);
  }

  /** Only when its answer has been taken: a slow database keeps the slot, and thereby slows dispatching. */
  #finish(entry: InFlight): void {
    const id = entry.delivery.deliveryId;
    if (this.#table.get(id) === entry) this.#table.finish(id);
    if (this.#soloId === id) this.#soloId = null;
    this.#options.onRoom();
  }

  #fail(delivery: StepDelivery, outcome: StepOutcome): void {
    const { channel, logger, workerName } = this.#options;
    channel
      .complete(delivery.deliveryId, outcome, workerName)
      .catch((error: unknown) => logger.error({ err: error }, "completion not taken"));
  }

  #runMs(entry: InFlight): number {
    return Math.round(this.#options.clock.nowMs() - entry.sentAtMs);
  }
}

function withEvents(outcome: StepOutcome, { events }: InFlight): StepOutcome {
  return events === null || outcome.outcome === "lost" ? outcome : { ...outcome, events };
}

/** Nothing for the many answers without events. */
function unpublished({ events }: InFlight): { readonly unpublished?: string[] } {
  const left = events?.filter(({ isPublished }) => !isPublished) ?? [];
  return left.length === 0 ? {} : { unpublished: left.map(({ name }) => name) };
}
