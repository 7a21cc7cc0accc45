import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createPool } from "../../core/src/db/index.js";
import { startPostgres } from "../../core/src/postgres/index.js";
import { createTestDatabase } from "../support/test-database.js";
import {
  type DemoWorker,
  expectRightEnds,
  placeOrders,
  startWorker,
  untilGone,
  untilSettled,
  untilStepsComplete,
} from "./demo-harness.js";

// 120 orders come to about 850 complete steps: faults strike well before that.
const EARLY = 150;
const LATER = 350;

describe("the order workflow of three languages survives", () => {
  const undo: (() => Promise<void>)[] = [];
  const later = (step: () => Promise<void>): void => {
    undo.unshift(step);
  };

  afterEach(async () => {
    for (const step of undo.splice(0)) await step();
  });

  async function running(url: string): Promise<DemoWorker> {
    const worker = await startWorker(url);
    later(() => worker.stop());
    return worker;
  }

  async function database() {
    const database = await createTestDatabase();
    later(() => database.drop());
    return database;
  }

  for (const language of ["python", "ruby"] as const) {
    it(`kill -9 of its ${language} process`, async () => {
      const { url, pool } = await database();
      const placed = await placeOrders(url);
      const worker = await running(url);

      await untilStepsComplete(pool, EARLY);
      process.kill(worker[language], "SIGKILL");
      await untilSettled(pool, worker);

      await expectRightEnds(pool, placed);
      expect(worker.log()).toContain(`(pid ${worker[language]})`);
    });
  }

  it("kill -9 of the whole worker: another one takes its leases over", async () => {
    const { url, pool } = await database();
    const placed = await placeOrders(url);
    const first = await running(url);

    await untilStepsComplete(pool, EARLY);
    await first.kill();
    await untilGone([first.python, first.ruby]);
    const held = await pool.query<{ n: number }>(
      "select count(*)::int as n from tasker_core.steps where state = 'in_progress'",
    );
    expect(held.rows[0]?.n, "steps that died with the worker").toBeGreaterThan(0);

    const second = await running(url);
    await untilSettled(pool, second);
    await expectRightEnds(pool, placed);
  });

  it("both handler processes and then the worker, one after the other", async () => {
    const { url, pool } = await database();
    const placed = await placeOrders(url);
    const first = await running(url);

    await untilStepsComplete(pool, EARLY);
    process.kill(first.ruby, "SIGKILL");
    process.kill(first.python, "SIGKILL");
    await untilStepsComplete(pool, LATER);
    await first.kill();
    const second = await running(url);

    await untilSettled(pool, second);
    await expectRightEnds(pool, placed);
  });

  it("a restart of Postgres", async () => {
    const directory = await mkdtemp(join(tmpdir(), "tasker-demo-restart-"));
    later(() => rm(directory, { recursive: true, force: true }));
    // Run by root, the server is another user, who must be able to enter.
    await chmod(directory, 0o755);
    const start = async () => {
      const server = await startPostgres({ dataDir: join(directory, "postgres") });
      later(() => server.stop());
      return server;
    };
    const before = await start();
    const placed = await placeOrders(before.url);
    const worker = await running(before.url);

    const early = createPool({ url: before.url, max: 1 });
    await untilStepsComplete(early, EARLY);
    await early.close();
    await before.stop();
    const after = await start();
    expect(after.url).toBe(before.url);

    const pool = createPool({ url: after.url, max: 2 });
    later(() => pool.close());
    await untilSettled(pool, worker);
    await expectRightEnds(pool, placed);
    // Before the server goes, so that nothing hangs on it.
    await worker.stop();
  });
});
