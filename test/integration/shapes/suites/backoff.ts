import { describe, expect, test } from "vitest";
import { waitFor } from "../../../support/wait-for.js";
import type { ShapeWorld } from "../suite.js";
import { BACKOFFS } from "../tables/acted-on.js";
import { MIXED, VOICES } from "../voices.js";
import { begin } from "./acting.js";

const HINT_SECONDS = 7;

/**
 * The delays before every attempt, exactly: from the log's time of the failure to the time for which the retry is
 * planned. The test moves that time up, so that nothing waits.
 */
export function describeBackoff(world: ShapeWorld): void {
  for (const voice of [...VOICES, MIXED])
    describe.concurrent(`backoff of ${voice.name}`, () => {
      test.each(BACKOFFS)("$strategy: $seconds s", async ({ shape, seconds }) => {
        const task = await begin(world, shape, voice, { fail_times: 4 });
        expect(await delays(await task.step("try"), seconds)).toEqual(seconds);
        expect(await task.settled()).toBe("complete");
        expect(await task.steps()).toEqual({
          try: { state: "complete", attempts: 5, result: { failures: 4, was_last: true } },
        });
      });

      test.each(BACKOFFS)("$strategy: the handler's hint wins", async ({ shape }) => {
        const input = { fail_times: 2, retry_after: HINT_SECONDS };
        const task = await begin(world, shape, voice, input);
        const hinted = [HINT_SECONDS, HINT_SECONDS];
        expect(await delays(await task.step("try"), hinted)).toEqual(hinted);
        expect(await task.settled()).toBe("complete");
        expect((await task.steps())["try"]?.attempts).toBe(3);
      });
    });

  /** Seconds before each retry. A delay of none plans nothing: the log then shows the next attempt at the same moment. */
  async function delays(step: string, expected: readonly number[]): Promise<number[]> {
    const found: number[] = [];
    for (const seconds of expected) {
      if (seconds === 0) found.push(0);
      else found.push(await waitFor(() => moveUp(step, found.length + 1), { timeoutMs: 20_000 }));
    }
    return found;
  }

  /** The delay after failure number `failures`, once it is planned. Ends it. */
  async function moveUp(step: string, failures: number): Promise<number | false> {
    const { rows } = await world.database.pool.query<{ seconds: number }>(
      `with planned as (
         select t.step_id, t.due_at, l.at from tasker_core.step_timers t
         join tasker.workflow_steps s on s.step_id = t.step_id
         join lateral (select l.at from tasker_core.step_log l
           where l.step_id = t.step_id and l.move in ('retry_later', 'settle_retry')
           order by l.log_id desc limit 1) l on true
         where s.workflow_step_uuid = $1 and s.attempts = $2 and t.due_at > tasker.now()),
       moved as (
         update tasker_core.step_timers t set due_at = tasker.now() from planned p where t.step_id = p.step_id)
       select extract(epoch from due_at - at)::float8 as seconds from planned`,
      [step, failures],
    );
    return rows[0]?.seconds ?? false;
  }
}
