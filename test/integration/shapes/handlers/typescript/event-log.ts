import { appendFile } from "node:fs/promises";
import { BaseSubscriber, type DomainEvent } from "@tasker-core/sdk";

/** Writes the domain events that its process sees to a file of its language, a line each. */
export class EventLog extends BaseSubscriber {
  async handle({ eventName, metadata }: DomainEvent): Promise<void> {
    const file = process.env["SHAPES_EVENTS"];
    if (file === undefined) return;
    await appendFile(`${file}.typescript`, `${metadata.taskUuid} ${eventName}\n`);
  }
}
