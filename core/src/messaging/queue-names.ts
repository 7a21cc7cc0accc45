import { StateError } from "../errors/index.js";

/** What PGMQ can name a table after. */
const QUEUE_NAME = /^[A-Za-z0-9_]{1,47}$/;

/** @throws StateError QUEUE_NAME_INVALID */
export function checkQueueName(queue: string): string {
  if (QUEUE_NAME.test(queue)) return queue;
  throw new StateError(
    "QUEUE_NAME_INVALID",
    `Queue name \`${queue}\` is not 1 to 47 letters, digits or underscores`,
    { context: { queue } },
  );
}

/** Durable domain events of a namespace (`contract/wire-types.md` section 6). */
export function domainEventQueue(namespace: string): string {
  return checkQueueName(`${namespace}_domain_events`);
}

export function queueNotFound(queue: string, cause?: unknown): StateError {
  return new StateError("QUEUE_NOT_FOUND", `Queue \`${queue}\` does not exist: create it first`, {
    context: { queue },
    cause,
  });
}

export function providerClosed(): StateError {
  return new StateError("CHANNEL_CLOSED", "The messaging provider has been closed");
}
