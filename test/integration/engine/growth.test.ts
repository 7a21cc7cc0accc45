import { expect, test } from "vitest";
import { measureGrowth } from "../../../bench/suites/growth.js";
import { useTestDatabase } from "../../support/test-database.js";

/** DATABASE section 6, in a size for every day; `npm run bench -- --only growth` fills a million. */
const empty = useTestDatabase({ maxConnections: 1 });
const grown = useTestDatabase({ maxConnections: 1 });

test("a task takes no longer beside 50 000 finished tasks and 5 000 queued steps", async () => {
  const figures = await measureGrowth({
    emptyUrl: empty.url,
    grownUrl: grown.url,
    finished: 50_000,
    queued: 5_000,
    rounds: 5,
    alone: 40,
  });
  const { rows } = await grown.pool.query<{ finished: bigint; queued: bigint }>(
    `select (select count(*) from tasker_core.tasks where state = 'complete') as finished,
       (select count(*) from pgmq.q_worker_backlog_queue) as queued`,
  );
  expect(Number(rows[0]?.finished)).toBeGreaterThanOrEqual(50_000);
  expect(Number(rows[0]?.queued)).toBe(5_000);
  const ratio = figures.find(({ id }) => id === "growth.linear4.grown_to_empty");
  const middle = [...(ratio?.values ?? [])].sort((a, b) => a - b)[2] ?? Number.NaN;
  process.stdout.write(`growth: linear 4 grown to empty, median of 5: ${middle.toFixed(2)}\n`);
  // On a machine that is shared: 5 times the tolerance of the bench.
  expect(middle).toBeLessThanOrEqual(1.5);
  expect(middle).toBeGreaterThan(0.3);
}, 180_000);
