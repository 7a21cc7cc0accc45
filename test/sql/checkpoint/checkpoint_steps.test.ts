import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type ClaimedStep,
  checkpointSteps,
  loadCheckpoints,
  releaseSteps,
} from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();
let host: SqlHost;

beforeEach(async () => {
  host = await new SqlHost(database.pool).register([[]]);
});
afterEach(async () => {
  await assertIntegrity(database.pool);
});

type Lease = Pick<ClaimedStep, "stepId" | "token">;
interface Progress {
  readonly cursor: unknown;
  readonly items_processed: number;
  readonly accumulated_results?: unknown;
}

async function store(leases: readonly Lease[], progress: Progress, historyLimit = 100) {
  return await checkpointSteps(database.pool, {
    workerId: host.workerId,
    reports: leases.map(({ stepId, token }) => ({
      stepId,
      token,
      body: Buffer.from(JSON.stringify(progress)),
    })),
    leaseMs: 30_000,
    historyLimit,
  });
}

async function stored(stepId: bigint): Promise<Record<string, unknown> | null> {
  const text = (await loadCheckpoints(database.pool, [stepId])).get(stepId);
  return text === undefined ? null : (JSON.parse(text) as Record<string, unknown>);
}

async function row(stepId: bigint) {
  const { rows } = await database.pool.query<Record<string, unknown>>(
    `select s.state::text, s.attempts, s.deaths, s.lease_token, v.results, v.checkpoint,
       s.leased_until > clock_timestamp() + interval '20 seconds' as renewed
     from tasker_core.steps s join tasker.workflow_steps v on v.step_id = s.step_id where s.step_id = $1`,
    [stepId.toString()],
  );
  return rows[0];
}

/** Past every function, so that the token stays what it was. */
async function setState(stepId: bigint, state: string): Promise<void> {
  await database.pool.query(
    "update tasker_core.steps set state = $2::tasker_core.step_state where step_id = $1",
    [stepId.toString(), state],
  );
}

async function begin(): Promise<ClaimedStep> {
  const { claims } = await host.create(1);
  return claims[0] as ClaimedStep;
}

const FIRST = { cursor: 3, items_processed: 3, accumulated_results: { sum: 6 } };

describe("a yield", () => {
  test("stores its progress and leases the step anew, and changes nothing else", async () => {
    const claim = await begin();
    const outcome = await store([claim], FIRST);
    expect(outcome.verdicts).toEqual([
      { stepId: claim.stepId, token: claim.token, status: "committed" },
    ]);
    expect(outcome.claims).toEqual([{ ...claim, token: claim.token + 1 }]);
    expect(await row(claim.stepId)).toMatchObject({
      state: "in_progress",
      attempts: 1,
      deaths: 0,
      results: null,
      renewed: true,
    });
    const checkpoint = await stored(claim.stepId);
    const stamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(checkpoint).toEqual({
      ...FIRST,
      timestamp: stamp,
      history: [{ cursor: 3, timestamp: stamp }],
    });
  });

  test("moves the step's message with its lease, so that nobody else takes the step", async () => {
    const claim = await begin();
    await store([claim], FIRST);
    const { rows } = await database.pool.query<{ later: boolean }>(
      `select vt > clock_timestamp() + interval '20 seconds' as later from pgmq.q_worker_shapes_queue
       where msg_id = (select message_id from tasker_core.steps where step_id = $1)`,
      [claim.stepId.toString()],
    );
    expect(rows).toEqual([{ later: true }]);
  });

  test("is in the trail, and is no transition", async () => {
    const claim = await begin();
    await store([claim], FIRST);
    const { rows: moves } = await database.pool.query<{ move: string }>(
      "select move::text from tasker_core.step_log where step_id = $1 order by log_id",
      [claim.stepId.toString()],
    );
    expect(moves.map(({ move }) => move)).toEqual(["hand_off", "checkpoint"]);
    const { rows } = await database.pool.query<{ to_state: string }>(
      `select t.to_state from tasker.workflow_step_transitions t
       join tasker.workflow_steps s using (workflow_step_uuid) where s.step_id = $1 order by sort_key`,
      [claim.stepId.toString()],
    );
    expect(rows.map(({ to_state }) => to_state)).toEqual(["pending", "enqueued", "in_progress"]);
  });

  test("keeps every kind of cursor and number as it came", async () => {
    const claim = await begin();
    const body =
      '{"cursor":{"page":1.0,"id":9007199254740993},"items_processed":1,"accumulated_results":{"x":1e2}}';
    await checkpointSteps(database.pool, {
      workerId: host.workerId,
      reports: [{ stepId: claim.stepId, token: claim.token, body: Buffer.from(body) }],
      leaseMs: 1000,
      historyLimit: 1,
    });
    const text = (await loadCheckpoints(database.pool, [claim.stepId])).get(claim.stepId);
    expect(text).toContain('"cursor" : {"page":1.0,"id":9007199254740993}');
    expect(text).toContain('"accumulated_results" : {"x":1e2}');
  });

  test("without accumulated results stores null", async () => {
    const claim = await begin();
    await store([claim], { cursor: null, items_processed: 0 });
    expect(await stored(claim.stepId)).toMatchObject({ cursor: null, accumulated_results: null });
  });

  test("appends to the history, of which the newest entries are kept", async () => {
    let lease = await begin();
    for (let cursor = 1; cursor <= 7; cursor += 1) {
      const outcome = await store([lease], { cursor, items_processed: cursor }, 3);
      lease = outcome.claims[0] as ClaimedStep;
    }
    const history = (await stored(lease.stepId))?.["history"] as { cursor: number }[];
    expect(history.map(({ cursor }) => cursor)).toEqual([5, 6, 7]);
    await store([lease], { cursor: 8, items_processed: 8 }, 1);
    expect(await stored(lease.stepId)).toMatchObject({ history: [{ cursor: 8 }] });
  });

  test("of many steps is one call", async () => {
    const { claims } = await host.create(25);
    const outcome = await store(claims, FIRST);
    expect(outcome.claims.map(({ token }) => token)).toEqual(claims.map(({ token }) => token + 1));
    const done = await host.tick(outcome.claims);
    expect(done.restedTasks).toHaveLength(25);
  });

  test("is followed by the result under the new token, and outlives it", async () => {
    const claim = await begin();
    const { claims } = await store([claim], FIRST);
    expect((await host.tick([claim])).verdicts[0]?.status).toBe("stale");
    expect((await host.tick(claims)).verdicts[0]?.status).toBe("committed");
    expect(await row(claim.stepId)).toMatchObject({ state: "complete", attempts: 1 });
    expect(await stored(claim.stepId)).toMatchObject(FIRST);
  });

  test("outlives a failure, and the next attempt counts on", async () => {
    const claim = await begin();
    const { claims } = await store([claim], FIRST);
    const failed = await host.tick(claims, { verdict: 1 });
    expect(failed.verdicts[0]?.status).toBe("committed");
    const again = await host.tick([], { timerLimit: 10 });
    expect(again.claims[0]).toMatchObject({ stepId: claim.stepId, attempts: 2 });
    expect(await stored(claim.stepId)).toMatchObject(FIRST);
  });

  test("and then the loss of its process consume no attempt", async () => {
    const claim = await begin();
    const { claims } = await store([claim], FIRST);
    const [lease] = claims as [ClaimedStep];
    await releaseSteps(database.pool, [{ ...lease, isDeath: true, isSuspect: true }]);
    const taken = await host.claim();
    expect(taken.claims[0]).toMatchObject({ stepId: claim.stepId, attempts: 1, deaths: 1 });
  });
});

describe("a stale yield changes nothing", () => {
  test("with an old token", async () => {
    const claim = await begin();
    const { claims } = await store([claim], FIRST);
    const late = await store([claim], { cursor: 99, items_processed: 99 });
    expect(late.verdicts[0]?.status).toBe("stale");
    expect(late.claims).toEqual([]);
    expect(await stored(claim.stepId)).toMatchObject(FIRST);
    expect(await row(claim.stepId)).toMatchObject({ lease_token: claims[0]?.token });
  });

  test.each(["complete", "cancelled", "error", "waiting_for_retry"])(
    "of a step that is %s, even with its current token",
    async (state) => {
      const claim = await begin();
      await setState(claim.stepId, state);
      const late = await store([claim], FIRST);
      expect(late.verdicts[0]?.status).toBe("stale");
      expect(late.claims).toEqual([]);
      expect(await stored(claim.stepId)).toBeNull();
      await setState(claim.stepId, "in_progress");
    },
  );

  test("of a step that does not exist", async () => {
    const late = await store([{ stepId: 1n, token: 1 }], FIRST);
    expect(late.verdicts).toEqual([{ stepId: 1n, token: 1, status: "stale" }]);
    expect(late.claims).toEqual([]);
  });

  test("next to a good one, in the same call", async () => {
    const { claims } = await host.create(2);
    const [good, late] = claims as [ClaimedStep, ClaimedStep];
    const outcome = await store([good, { ...late, token: 77 }], FIRST);
    expect(outcome.verdicts.map(({ status }) => status)).toEqual(["committed", "stale"]);
    expect(outcome.claims.map(({ stepId }) => stepId)).toEqual([good.stepId]);
  });
});

test("a number that is no bigint is a data error, so that the host can single it out", async () => {
  const claim = await begin();
  await expect(store([claim], { cursor: 1, items_processed: 1e21 })).rejects.toMatchObject({
    code: expect.stringMatching(/^22/),
  });
});
