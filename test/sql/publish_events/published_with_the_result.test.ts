import { beforeAll, expect, test } from "vitest";
import {
  type ClaimedStep,
  createDomainEventQueue,
  type QueuedEvent,
  type StepReport,
  submitStepResults,
  tick,
} from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();
const QUEUE = "shapes_domain_events";
let host: SqlHost;

beforeAll(async () => {
  host = await new SqlHost(database.pool).register([[]]);
  await Promise.all([1, 2].map(() => createDomainEventQueue(database.pool, "shapes")));
});

function event(name: string, queue = QUEUE): QueuedEvent {
  return { name, queue, message: JSON.stringify({ event_name: name }) };
}

function report({ stepId, token }: ClaimedStep, events: readonly QueuedEvent[]): StepReport {
  const body = Buffer.from('{"success":true,"result":{}}');
  return { stepId, token, verdict: 0, executionMs: 1, hintMs: null, body, events };
}

async function settle(reports: readonly StepReport[]) {
  const { workerId } = host;
  const common = { leaseMs: 1000, timerLimit: 0, routes: host.routes(10) };
  return await tick(database.pool, { workerId, reports, ...common });
}

async function claimed(): Promise<ClaimedStep> {
  const [claim] = (await host.create(1)).claims;
  if (claim === undefined) throw new Error("no claim");
  return claim;
}

/** Takes what is in the queue. */
async function published(): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    `with gone as (delete from pgmq.q_shapes_domain_events returning msg_id, message)
     select message ->> 'event_name' as name from gone order by msg_id`,
  );
  return rows.map(({ name }) => name);
}

test("events of accepted results are queued; a repeat adds nothing", async () => {
  const reports = [
    report(await claimed(), [event("a.b"), event("a.c")]),
    report(await claimed(), [event("d.e")]),
  ];
  const first = await settle(reports);
  expect(first.verdicts.map(({ status }) => status)).toEqual(["committed", "committed"]);
  expect(await published()).toEqual(["a.b", "a.c", "d.e"]);
  const again = await settle(reports);
  expect(again.verdicts.map(({ status }) => status)).toEqual(["committed", "committed"]);
  expect(await published()).toEqual([]);
});

test("a stale result publishes nothing, beside one that is accepted", async () => {
  const [old, current] = [await claimed(), await claimed()];
  const reports = [
    report({ ...old, token: old.token + 7 }, [event("too.late")]),
    report(current, [event("in.time")]),
  ];
  const { verdicts } = await settle(reports);
  expect(verdicts.map(({ status }) => status).sort()).toEqual(["committed", "stale"]);
  expect(await published()).toEqual(["in.time"]);
});

test("what a queue cannot hold is reported; everything else of the call is stored", async () => {
  const claim = await claimed();
  const unstorable = { ...event("a.nul"), message: '{"event_name":"a.nul","x":"\\u0000"}' };
  const { verdicts, refusedEvents } = await settle([
    report(claim, [event("a.b"), unstorable, event("a.c", "no_such_queue"), event("a.d")]),
  ]);
  expect(verdicts[0]?.status).toBe("committed");
  expect(refusedEvents.map(({ position }) => position)).toEqual([1, 2]);
  expect(refusedEvents[0]?.reason).toContain("Unicode escape");
  expect(refusedEvents[1]?.reason).toContain("no_such_queue");
  expect(await published()).toEqual(["a.b", "a.d"]);
});

test("split mode: published when the result is submitted, once", async () => {
  const reports = [report(await claimed(), [event("a.b")])];
  await submitStepResults(database.pool, host.workerId, reports);
  await submitStepResults(database.pool, host.workerId, reports);
  expect(await published()).toEqual(["a.b"]);
});

test("a transaction that is rolled back publishes nothing", async () => {
  const claim = await claimed();
  const broken = { ...report(claim, [event("a.b")]), body: Buffer.from("{") };
  await expect(settle([broken])).rejects.toThrow();
  expect(await published()).toEqual([]);
  expect(await host.states(claim.taskId)).toEqual(["in_progress"]);
});
