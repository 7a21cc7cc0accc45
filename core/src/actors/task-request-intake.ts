import { isConnectionLoss } from "../db/index.js";
import { isTaskerError, messageOf } from "../errors/index.js";
import { delay } from "../lib/delay.js";
import { jsonMembers } from "../lib/json-members.js";
import { findJsonFault } from "../lib/json-text.js";
import type { CreatedTask } from "../lifecycle/task-initializer.js";
import type { TaskRequest } from "../lifecycle/task-request.js";
import type { MessagingProvider, ReceivedMessage } from "../messaging/index.js";
import type { Logger } from "../observability/index.js";

export interface IntakeSettings {
  /** As configured under `common.queues.orchestration_queues.task_requests`. */
  readonly queue: string;
  /** How often it looks while nothing comes. */
  readonly pollIntervalMs: number;
  readonly visibilityTimeoutMs: number;
  /** Messages taken at once at most. */
  readonly batchSize: number;
  /** Deliveries of a request that may succeed later, before it is archived. */
  readonly maxDeliveries: number;
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
}

export interface TaskRequestIntakeOptions extends IntakeSettings {
  readonly provider: MessagingProvider;
  /** Reads the JSON text of a request. @throws an error that says what is wrong with it */
  readonly read: (text: string) => TaskRequest;
  readonly create: (request: TaskRequest) => Promise<CreatedTask>;
  readonly logger: Logger;
}

/** Done: acknowledged. Later: comes again. Poison: archived. */
type Verdict = "done" | "later" | "poison";

/**
 * Creates the tasks that other programs ask for through a queue (`contract/wire-types.md` section 6), those of a batch
 * together. A message is acknowledged once its task exists, so a request is never lost; one that was already carried out
 * creates nothing. What can never succeed is archived and logged; what may (the database is away, the template is not
 * registered yet) comes again, later each time.
 */
export class TaskRequestIntake {
  readonly name = "task-request-intake";
  readonly counts = { created: 0, duplicates: 0, retried: 0, archived: 0 };
  readonly #options: TaskRequestIntakeOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: TaskRequestIntakeOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#options.provider.createQueue(this.#options.queue);
    this.#running = this.#run();
  }

  /** Finishes the batch at hand. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const {
      provider,
      queue,
      logger,
      batchSize,
      visibilityTimeoutMs,
      pollIntervalMs,
      retryFirstMs,
    } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const batch = await provider.receive(queue, {
          visibilityTimeoutMs,
          limit: batchSize,
        });
        if (batch.length > 0) await this.#work(batch);
        else await delay(pollIntervalMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn(
          { err: error, queue },
          `messages of ${queue} could not be taken and are tried again: ${messageOf(error)}`,
        );
        await delay(retryFirstMs, signal).catch(() => undefined);
      }
    }
  }

  async #work(batch: readonly ReceivedMessage[]): Promise<void> {
    const { provider, queue } = this.#options;
    const verdicts = await Promise.all(batch.map((message) => this.#verdict(message)));
    const of = (verdict: Verdict) => batch.filter((_, i) => verdicts[i] === verdict);
    const done = of("done");
    const poison = of("poison");
    if (done.length > 0) await provider.ack(queue, done);
    if (poison.length > 0) await provider.archive(queue, poison);
    this.counts.archived += poison.length;
    for (const message of of("later")) {
      this.counts.retried += 1;
      await provider.nack(queue, [message], this.#delayMs(message.readCount));
    }
  }

  async #verdict(message: ReceivedMessage): Promise<Verdict> {
    try {
      await this.#options.create(this.#read(message));
      this.counts.created += 1;
      return "done";
    } catch (error) {
      if (isTaskerError(error, "TASK_DUPLICATE")) {
        this.counts.duplicates += 1;
        this.#options.logger.info({ message_id: message.id.toString() }, messageOf(error));
        return "done";
      }
      return this.#failed(message, error);
    }
  }

  #failed(message: ReceivedMessage, error: unknown): Verdict {
    const { logger, queue, maxDeliveries } = this.#options;
    const about = { queue, message_id: message.id.toString(), err: error };
    // An outage says nothing about the message, however often it came.
    const isOutage = isConnectionLoss(error) || (isTaskerError(error) && error.retryable);
    const isHopeless =
      error instanceof UnreadableRequest || isTaskerError(error, "TASK_REQUEST_INVALID");
    if (isOutage || (!isHopeless && message.readCount < maxDeliveries)) {
      logger.warn(about, `a task request comes again: ${messageOf(error)}`);
      return "later";
    }
    logger.error(about, `message ${message.id} of ${queue} was archived: ${messageOf(error)}`);
    return "poison";
  }

  #read({ text }: ReceivedMessage): TaskRequest {
    const bytes = Buffer.from(text);
    const members = findJsonFault(bytes) === null ? jsonMembers(bytes) : null;
    const request = members?.get("task_request");
    if (request === undefined) throw new UnreadableRequest("it has no task_request");
    const id = members?.get("request_id");
    const requestId =
      id === undefined ? undefined : (JSON.parse(Buffer.from(id).toString()) as unknown);
    try {
      const read = this.#options.read(Buffer.from(request).toString("utf8"));
      return typeof requestId === "string" ? { ...read, requestId } : read;
    } catch (cause) {
      throw new UnreadableRequest(messageOf(cause), { cause });
    }
  }

  #delayMs(deliveries: number): number {
    const { retryFirstMs, retryMaxMs } = this.#options;
    return Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(30, deliveries - 1));
  }
}

/** A message that is no task request. */
class UnreadableRequest extends Error {}
