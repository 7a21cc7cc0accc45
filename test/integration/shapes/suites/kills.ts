import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { waitFor } from "../../../support/wait-for.js";
import type { ShapeWorld } from "../suite.js";
import { CHECKPOINTS } from "../tables/faults.js";
import { MIXED, VOICES, type Voice } from "../voices.js";
import { begin, type Subject } from "./acting.js";

const DONE = {
  state: "complete",
  attempts: 1,
  result: { sum: 55, starts: [0, 3, 6, 9], retry_count: 0 },
};

const TRAIL = { yields: 3, takeovers: expect.toSatisfy((times: number) => times >= 1) };

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
      const key = join(world.folder(), `after ${whatDies}`);
      const input = { items: 10, every: 3, pause_at: 6, key };
      const tasks = await Promise.all(
        voices.map((voice) => begin(world, CHECKPOINTS, voice, input)),
      );
      await Promise.all(tasks.map(untilPaused));
      const hosts = world.hosts();
      if (!isWorker) await hosts.killHandlerProcesses();
      else if (hosts.replaceWorker !== undefined) await hosts.replaceWorker();
      else throw new Error("the worker is this process");
      await writeFile(key, "");
      expect(await outcomes(voices, tasks)).toEqual(
        Object.fromEntries(voices.map((voice) => [voice.name, ["complete", DONE, TRAIL]])),
      );
    }, 120_000);
  });

  async function untilPaused({ taskUuid }: Subject): Promise<void> {
    const { pool } = world.database;
    await waitFor(
      async () => {
        const { rows } = await pool.query<{ cursor: number | null }>(
          "select (checkpoint ->> 'cursor')::int as cursor from tasker.workflow_steps where task_uuid = $1",
          [taskUuid],
        );
        return rows[0]?.cursor === 6;
      },
      { timeoutMs: 30_000, describe: `the second checkpoint of ${taskUuid}` },
    );
  }

  async function outcomes(voices: readonly Voice[], tasks: readonly Subject[]) {
    const ends = tasks.map(async (task) => {
      const state = await task.settled();
      return [state, (await task.steps())["sum"], await trailOf(await task.step("sum"))] as const;
    });
    const found = await Promise.all(ends);
    return Object.fromEntries(voices.map((voice, i) => [voice.name, found[i]]));
  }

  /** How often the step stored progress, and how often its delivery went to another process. */
  async function trailOf(step: string) {
    const { rows } = await world.database.pool.query(
      `select count(*) filter (where l.move = 'checkpoint')::int as yields,
         count(*) filter (where l.move = 'redeliver')::int as takeovers
       from tasker_core.step_log l join tasker.workflow_steps s on s.step_id = l.step_id
       where s.workflow_step_uuid = $1`,
      [step],
    );
    return rows[0];
  }
}
