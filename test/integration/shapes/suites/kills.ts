import { describe, expect, test } from "vitest";
import { waitFor } from "../../../support/wait-for.js";
import type { ShapeWorld } from "../suite.js";
import { CHECKPOINTS } from "../tables/faults.js";
import { MIXED, VOICES, type Voice } from "../voices.js";
import { begin, type Subject } from "./acting.js";

const INPUT = { items: 10, every: 3, ms: 300 };
const DONE = {
  state: "complete",
  attempts: 1,
  result: { sum: 55, starts: [0, 3, 6, 9], retry_count: 0 },
};

/** kill -9 between two yields: the next process goes on from the cursor and the sums, and no attempt is lost. */
export function describeKills(
  world: ShapeWorld,
  whatDies: "handler processes" | "the worker",
): void {
  const isWorker = whatDies === "the worker";
  describe(`${whatDies} killed in the middle of a batch`, () => {
    const voices = [...VOICES, MIXED].filter(
      (voice) => isWorker || voice.at(0).language !== "typescript",
    );

    test(`${voices.map(({ name }) => name).join(", ")} go on from their checkpoints`, async () => {
      const tasks = await Promise.all(
        voices.map((voice) => begin(world, CHECKPOINTS, voice, INPUT)),
      );
      await Promise.all(tasks.map(untilYielded));
      const hosts = world.hosts();
      if (!isWorker) await hosts.killHandlerProcesses();
      else if (hosts.replaceWorker !== undefined) await hosts.replaceWorker();
      else throw new Error("the worker is this process");
      expect(await outcomes(voices, tasks)).toEqual(
        Object.fromEntries(voices.map((voice) => [voice.name, ["complete", { sum: DONE }]])),
      );
    });
  });

  async function untilYielded({ taskUuid }: Subject): Promise<void> {
    const { pool } = world.database;
    await waitFor(
      async () => {
        const { rows } = await pool.query<{ cursor: number | null }>(
          "select (checkpoint ->> 'cursor')::int as cursor from tasker.workflow_steps where task_uuid = $1",
          [taskUuid],
        );
        return (rows[0]?.cursor ?? 0) >= 3;
      },
      { timeoutMs: 20_000, intervalMs: 5, describe: `a checkpoint of ${taskUuid}` },
    );
  }

  async function outcomes(voices: readonly Voice[], tasks: readonly Subject[]) {
    const ends = tasks.map(async (task) => [await task.settled(), await task.steps()] as const);
    const found = await Promise.all(ends);
    return Object.fromEntries(voices.map((voice, i) => [voice.name, found[i]]));
  }
}
