import type { TaskCreation, TaskInitializer } from "../lifecycle/task-initializer.js";
import { Actor, type ActorOptions } from "./runtime/actor.js";

/** Requests for tasks that arrive together are created together. */
export class TaskRequestActor extends Actor<TaskCreation> {
  readonly name = "task-request";
  readonly #initializer: TaskInitializer;

  constructor(options: ActorOptions, initializer: TaskInitializer) {
    super(options);
    this.#initializer = initializer;
  }

  protected override async receive(batch: readonly TaskCreation[]): Promise<void> {
    try {
      await this.#initializer.create(batch);
    } catch (error) {
      // Whoever was not answered yet must not wait for ever; a settled reply ignores this.
      for (const { reply } of batch) reply.reject(error);
      throw error;
    }
  }
}
