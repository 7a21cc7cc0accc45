import {
  type BasePublisher,
  finishPublication,
  type PreparedPublication,
  PublisherRegistry,
  preparePublication,
} from "@tasker-core/sdk/host";
import type { HandlerEvent, StepDelivery, StepFailure, StepSuccess } from "../channels/index.js";
import type { QueuedEvent } from "../db/functions/index.js";
import { messageOf } from "../errors/index.js";
import { newUuid } from "../lib/uuid.js";
import type { DomainEventBus } from "../lifecycle/events/index.js";
import type { RuntimePublication, RuntimeTemplate } from "../lifecycle/runtime-template.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import type { Logger } from "../observability/index.js";
import { isConditionMet, isOn, readEventPayload } from "./event-conditions.js";

export interface EventPublisherDeps {
  readonly registry: TemplateRegistry;
  readonly bus: DomainEventBus;
  /** Publishers of this host by name; those of the process-wide `PublisherRegistry` are found too. */
  readonly publishers: ReadonlyMap<string, BasePublisher>;
  /** Whether a handler process has a publisher of this name. */
  readonly isElsewhere: (publisher: string) => boolean;
  readonly logger: Logger;
}

/** What a result has to say, ready before it is stored. */
export interface PreparedEvents {
  /** To be stored with the result. */
  readonly queued: readonly QueuedEvent[];
  readonly afterCommit: readonly CommittedEvent[];
}

interface CommittedEvent {
  readonly name: string;
  /** JSON text; null when only the queue gets the event. */
  readonly envelope: string | null;
  readonly custom: {
    readonly publisher: BasePublisher;
    readonly prepared: PreparedPublication;
  } | null;
  /** From a publisher in the handler process. */
  readonly made: HandlerEvent | null;
}

interface Source {
  readonly delivery: StepDelivery;
  readonly outcome: StepSuccess | StepFailure;
  readonly template: RuntimeTemplate;
  /** JSON text of the step execution result. */
  readonly resultJson: string;
}

const DEFAULT_PUBLISHER = "DefaultDomainEventPublisher";

/**
 * Makes the domain events of a step's result (`contract/template.md` section 8). Durable ones go into the transaction that
 * accepts the result: a crash loses neither or both. The in-process ones follow the commit and are lost with the process.
 * An event that cannot be made is left out, logged and counted; the step does not notice.
 */
export class EventPublisher {
  readonly #deps: EventPublisherDeps;
  readonly #unknownPublishers = new Set<string>();
  /** `skipped`: declared and due, but their payload did not fit, could not be made, or could not be stored. */
  readonly counts = { prepared: 0, skipped: 0, durable: 0, fast: 0, broadcast: 0 };

  constructor(deps: EventPublisherDeps) {
    this.#deps = deps;
  }

  /** Undefined for the many results that publish nothing. Never throws. */
  prepare(
    delivery: StepDelivery,
    outcome: StepSuccess | StepFailure,
    body: Uint8Array,
  ): PreparedEvents | undefined {
    const template = this.#deps.registry.get(delivery.templateId);
    const publications = template?.steps[delivery.templateOrdinal]?.publications;
    this.#skipUndeclared(delivery, outcome.events, publications);
    if (template === undefined || publications === undefined || publications.length === 0) return;
    const due = publications.filter(({ condition }) => isConditionMet(condition, outcome));
    if (due.length === 0) return;
    const source = { delivery, outcome, template, resultJson: Buffer.from(body).toString("utf8") };
    const queued: QueuedEvent[] = [];
    const afterCommit: CommittedEvent[] = [];
    for (const publication of due) {
      try {
        this.#prepareOne(source, publication, queued, afterCommit);
      } catch (error) {
        this.#skip(delivery, publication.name, messageOf(error), error);
      }
    }
    return { queued, afterCommit };
  }

  /** To be called once the result is stored. Never throws. */
  committed(delivery: StepDelivery, { afterCommit }: PreparedEvents): void {
    const { bus } = this.#deps;
    for (const { name, envelope, custom, made } of afterCommit) {
      try {
        if (made !== null) made.isPublished = true;
        if (envelope !== null) bus.publishEnvelope(name, envelope);
        if (custom !== null) finishPublication(custom.publisher, custom.prepared);
      } catch (error) {
        this.#deps.logger.error(
          { err: error, event: name, step_uuid: delivery.stepUuid },
          `event ${name} was published, but what follows failed: ${messageOf(error)}`,
        );
      }
    }
  }

  /** The database stored the result without this event. */
  refused(event: QueuedEvent | undefined, reason: string): void {
    this.counts.skipped += 1;
    this.#deps.logger.error(
      { event: event?.name, queue: event?.queue },
      `event ${event?.name} could not be queued and was left out: ${reason}`,
    );
  }

  #prepareOne(
    source: Source,
    publication: RuntimePublication,
    queued: QueuedEvent[],
    afterCommit: CommittedEvent[],
  ): void {
    const { delivery, outcome, template } = source;
    const { name, delivery_mode } = publication;
    const made = outcome.events?.find((event) => event.name === name && isOn(event.on, outcome));
    if (made?.verdict === "declined") return;
    if (made?.verdict === "failed") {
      this.#skip(delivery, name, `publisher ${made.publisher} failed; its process says why`);
      return;
    }
    const custom = made === undefined ? this.#custom(source, publication) : null;
    if (custom === "declined") return;
    const content =
      made !== undefined ? contentMadeElsewhere(made) : contentMadeHere(outcome, custom);
    const problems = publication.check.problemsOf(JSON.parse(content.payloadJson));
    if (problems.length > 0) {
      this.#skip(delivery, name, `its payload does not match the schema: ${problems.join("; ")}`);
      return;
    }
    const envelope = envelopeOf(source, name, content);
    const isQueued = delivery_mode !== "fast";
    if (isQueued)
      queued.push({ name, queue: `${template.namespace}_domain_events`, message: envelope });
    this.counts.prepared += 1;
    this.counts[delivery_mode] += 1;
    const isLocal = delivery_mode !== "durable";
    if (isLocal || custom !== null || made !== undefined) {
      const local = isLocal ? envelope : null;
      afterCommit.push({ name, envelope: local, custom, made: made ?? null });
    }
  }

  /** Null: the default publisher, whose payload is the result as it is. */
  #custom(
    { delivery, outcome, template, resultJson }: Source,
    publication: RuntimePublication,
  ): CommittedEvent["custom"] | "declined" {
    const publisher = this.#publisherOf(publication.publisher);
    if (publisher === null) return null;
    const { result, metadata } = readEventPayload(resultJson);
    const prepared = preparePublication(publisher, {
      eventName: publication.name,
      stepResult: { success: outcome.outcome === "success", result, metadata },
      eventDeclaration: {
        name: publication.name,
        condition: publication.condition,
        deliveryMode: publication.delivery_mode,
        publisher: publisher.publisherName,
        schema: publication.schema,
      },
      stepContext: {
        taskUuid: delivery.taskUuid,
        stepUuid: delivery.stepUuid,
        stepName: delivery.stepName,
        namespace: template.namespace,
        correlationId: delivery.correlationId,
        result,
        metadata,
      },
    });
    return prepared === null ? "declined" : { publisher, prepared };
  }

  #publisherOf(name: string | null): BasePublisher | null {
    if (name === null || name === DEFAULT_PUBLISHER) return null;
    const publisher = this.#deps.publishers.get(name) ?? PublisherRegistry.instance.get(name);
    if (publisher !== undefined) return publisher;
    if (!this.#unknownPublishers.has(name) && !this.#deps.isElsewhere(name)) {
      this.#unknownPublishers.add(name);
      this.#deps.logger.warn(
        { publisher: name },
        `no publisher is named ${name}, here or in the process that ran the step; its events get the default payload, the handler's result`,
      );
    }
    return null;
  }

  /** Events of a handler process that no template knows: what would say how to deliver them? */
  #skipUndeclared(
    delivery: StepDelivery,
    made: readonly HandlerEvent[] | undefined,
    declared: readonly RuntimePublication[] | undefined,
  ): void {
    if (made === undefined) return;
    for (const { name } of made) {
      if (declared?.some((publication) => publication.name === name) === true) continue;
      this.#skip(delivery, name, "the step declares no such event under publishes_events");
    }
  }

  #skip(delivery: StepDelivery, event: string, why: string, error?: unknown): void {
    this.counts.skipped += 1;
    this.#deps.logger.error(
      {
        ...(error === undefined ? {} : { err: error }),
        event,
        step_uuid: delivery.stepUuid,
        correlation_id: delivery.correlationId,
      },
      `event ${event} of step ${delivery.stepName} was left out: ${why}`,
    );
  }
}

/** What a publisher decides about an event. */
interface Content {
  readonly payloadJson: string;
  readonly additional: Readonly<Record<string, unknown>>;
  readonly firedBy: string;
}

function contentMadeHere(
  outcome: StepSuccess | StepFailure,
  custom: CommittedEvent["custom"],
): Content {
  if (custom !== null) {
    return {
      payloadJson: JSON.stringify(custom.prepared.payload),
      additional: custom.prepared.additional,
      firedBy: custom.publisher.publisherName,
    };
  }
  const isSuccess = outcome.outcome === "success";
  return {
    payloadJson: isSuccess ? Buffer.from(outcome.value).toString("utf8") : "{}",
    additional: {},
    firedBy: DEFAULT_PUBLISHER,
  };
}

function contentMadeElsewhere({ payload, metadata, publisher }: HandlerEvent): Content {
  return {
    payloadJson: Buffer.from(payload).toString("utf8"),
    additional:
      metadata === null
        ? {}
        : (JSON.parse(Buffer.from(metadata).toString("utf8")) as Record<string, unknown>),
    firedBy: publisher,
  };
}

/** `contract/wire-types.md` section 7; step event, result and payload are spliced in as they are. */
function envelopeOf(
  { delivery, template, resultJson }: Source,
  name: string,
  { payloadJson, additional, firedBy }: Content,
): string {
  const head = { event_id: newUuid(), event_name: name, event_version: "1.0" };
  const metadata = {
    ...additional,
    task_uuid: delivery.taskUuid,
    step_uuid: delivery.stepUuid,
    step_name: delivery.stepName,
    namespace: template.namespace,
    correlation_id: delivery.correlationId,
    fired_at: new Date().toISOString(),
    fired_by: firedBy,
  };
  const step = Buffer.from(delivery.payload.bytes()).toString("utf8");
  return `${JSON.stringify(head).slice(0, -1)},"payload":{"task_sequence_step":${step},"execution_result":${resultJson},"payload":${payloadJson}},"metadata":${JSON.stringify(metadata)}}`;
}
