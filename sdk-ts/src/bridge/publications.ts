import { Buffer } from "node:buffer";
import {
  type BasePublisher,
  type EventDeclaration,
  finishPublication,
  type PreparedPublication,
  PublisherRegistry,
  preparePublication,
  type StepEventContext,
} from "../domain-events/index.js";
import type { FfiStepEvent } from "../ffi-event.js";
import type { StepExecution } from "../host/outcome.js";
import { encodeJson } from "../json.js";
import { type EventHeader, encodeFrame } from "../protocol/index.js";

type Json = Readonly<Record<string, unknown>>;
type Ended = Exclude<StepExecution, { outcome: "checkpoint" }>;
interface Waiting {
  readonly publisher: BasePublisher;
  readonly prepared: PreparedPublication;
}

/** The events of steps whose template names a publisher of this process: hooks before the answer, the rest after. */
export class Publications {
  readonly #waiting = new Map<string, Waiting[]>();
  maxFrame = Number.POSITIVE_INFINITY;

  /** `event` frames to send before the answer; mostly none. Never throws. */
  framesFor(event: FfiStepEvent, declared: unknown, answer: StepExecution): Uint8Array[] {
    if (!Array.isArray(declared) || answer.outcome === "checkpoint") return [];
    const frames: Uint8Array[] = [];
    for (const entry of declared as Json[]) {
      const publisher = PublisherRegistry.instance.get(String(entry["publisher"] ?? ""));
      if (publisher == null || !isMet(entry["condition"], answer)) continue;
      frames.push(...this.#frame(event, entry, publisher, answer));
    }
    return frames;
  }

  /** The host has stored the answer; returns what `afterPublish` hooks are due. */
  stored(deliveryId: string, unpublished: readonly string[]): (() => void)[] {
    return this.dropped(deliveryId)
      .filter(({ prepared }) => !unpublished.includes(prepared.eventName))
      .map(
        ({ publisher, prepared }) =>
          () =>
            void finishPublication(publisher, prepared),
      );
  }

  dropped(deliveryId: string): readonly Waiting[] {
    const waiting = this.#waiting.get(deliveryId) ?? [];
    this.#waiting.delete(deliveryId);
    return waiting;
  }

  #frame(event: FfiStepEvent, entry: Json, publisher: BasePublisher, answer: Ended): Uint8Array[] {
    const name = String(entry["name"]);
    const header: EventHeader = {
      type: "event",
      delivery_id: event.eventId,
      name,
      version: "1.0",
      on: answer.outcome === "success" ? "success" : "failure",
      publisher: publisher.publisherName,
    };
    let prepared: PreparedPublication | null;
    try {
      const context = contextOf(event, answer);
      prepared = preparePublication(publisher, {
        eventName: name,
        stepResult: {
          success: answer.outcome === "success",
          result: context.result ?? {},
          metadata: context.metadata,
        },
        eventDeclaration: declarationOf(entry, name),
        stepContext: context,
      });
    } catch {
      return encodeFrame({ ...header, verdict: "failed" });
    }
    if (prepared === null) return encodeFrame({ ...header, verdict: "declined" });
    const payload = encodeJson(prepared.payload);
    const extra = encodeJson(prepared.additional);
    if (!payload.ok || !extra.ok) return encodeFrame({ ...header, verdict: "failed" });
    const body = Buffer.from(payload.text + (extra.text === "{}" ? "" : extra.text));
    const parts = encodeFrame({ ...header, split: Buffer.byteLength(payload.text) }, body);
    if (parts.reduce((sum, part) => sum + part.byteLength, 0) - 4 > this.maxFrame) {
      return encodeFrame({ ...header, verdict: "failed" });
    }
    const waiting = this.#waiting.get(event.eventId) ?? [];
    waiting.push({ publisher, prepared });
    this.#waiting.set(event.eventId, waiting);
    return parts;
  }
}

function isMet(condition: unknown, answer: Ended): boolean {
  if (condition === "always") return true;
  if (answer.outcome === "success") return (condition ?? "success") === "success";
  if (condition === "failure") return true;
  return condition === (answer.retryable ? "retryable_failure" : "permanent_failure");
}

function contextOf(event: FfiStepEvent, answer: Ended): StepEventContext {
  const detail = (answer.detailJson === null ? {} : JSON.parse(answer.detailJson)) as Json;
  const metadata = (detail["metadata"] ?? {}) as Json;
  return {
    taskUuid: event.taskUuid,
    stepUuid: event.stepUuid,
    stepName: event.workflowStep.name,
    namespace: event.task.namespace,
    correlationId: event.correlationId,
    result: (answer.outcome === "success" ? JSON.parse(answer.valueJson) : {}) as Json,
    metadata:
      answer.outcome === "success"
        ? metadata
        : {
            ...metadata,
            retryable: answer.retryable,
            error_type: answer.errorType,
            error_message: answer.message,
          },
  };
}

function declarationOf(entry: Json, name: string): EventDeclaration {
  return {
    name,
    ...(entry["condition"] === undefined
      ? {}
      : { condition: entry["condition"] as NonNullable<EventDeclaration["condition"]> }),
    ...(entry["delivery_mode"] === undefined
      ? {}
      : { deliveryMode: entry["delivery_mode"] as NonNullable<EventDeclaration["deliveryMode"]> }),
    ...(entry["publisher"] === undefined ? {} : { publisher: String(entry["publisher"]) }),
    ...(entry["schema"] == null ? {} : { schema: entry["schema"] as Json }),
  };
}
