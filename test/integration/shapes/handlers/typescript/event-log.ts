import { appendFile } from "node:fs/promises";
import { BaseSubscriber, type DomainEvent } from "@tasker-core/sdk";

/** Writes the domain events that its process sees to the file named in the environment, a line each. */
export class EventLog extends BaseSubscriber {
  async handle({ eventName, metadata }: DomainEvent): Promise<void> {
    const file = process.env["SHAPES_EVENTS"];
    if (file !== undefined) await appendFile(file, `${metadata.taskUuid} ${eventName}\n`);
  }
}
