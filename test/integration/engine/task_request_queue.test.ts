import { defineHandler } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newUuid } from "../../../core/src/lib/uuid.js";
import { createLogger } from "../../../core/src/observability/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, testTemplate } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** Programs that know the database ask for tasks through a queue (contract/wire-types.md section 6). */
const database = useTestDatabase({ maxConnections: 3 });
const QUEUE = "orders_task_requests";
const lines: string[] = [];
let host: TestEngine;

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    logger: createLogger({ destination: { write: (line) => void lines.push(line) } }),
    templates: { one: [{ name: "only", callable: "echo" }] },
    handlers: { echo: defineHandler("echo", {}, async () => ({ ok: true })) },
    configure: (config) => {
      config.common.queues.orchestration_queues.task_requests = QUEUE;
      config.common.queues.orchestration_queues.step_results = "elsewhere";
      const { processing, timing } = config.orchestration.event_systems.orchestration;
      timing.fallback_polling_interval_seconds = 1;
      processing.max_retries = 6;
      processing.backoff.max_delay_ms = 1000;
    },
  });
});
afterAll(async () => await host?.engine.stop());

const request = (over: Readonly<Record<string, unknown>> = {}) => ({
  name: "one",
  namespace: "tests",
  version: "1.0.0",
  context: { amount: 3.5 },
  initiator: "queue",
  source_system: "shop",
  reason: "test",
  ...over,
});
const message = (taskRequest: unknown, id = newUuid()) => ({
  request_id: id,
  task_request: taskRequest,
  metadata: { requested_at: "2026-01-02T03:04:05Z", requester: "shop" },
});

async function send(text: string): Promise<bigint> {
  const { rows } = await database.pool.query<{ id: bigint }>(
    "select pgmq.send($1, $2::jsonb) as id",
    [QUEUE, text],
  );
  return rows[0]?.id as bigint;
}

async function counted(text: string, values: readonly unknown[] = []): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(
    `select count(*)::int as n from ${text}`,
    values,
  );
  return rows[0]?.n ?? -1;
}

const untilEmpty = () =>
  waitFor(async () => (await counted(`pgmq.q_${QUEUE}`)) === 0, { describe: "an empty queue" });
const tasksOf = (reason: string) => counted("tasker.tasks where reason = $1", [reason]);

test("tasks of a queue are created, numbers as they were sent, and run", async () => {
  const sent = JSON.stringify(message(request({ reason: "good" })));
  for (let n = 0; n < 30; n += 1) {
    await send(
      sent.replace("3.5", "3.0").replace(/"request_id":"[^"]+"/, `"request_id":"${newUuid()}"`),
    );
  }
  await untilEmpty();
  expect(await tasksOf("good")).toBe(30);
  const { rows } = await database.pool.query<{ context: string; requester: string }>(
    "select context::text as context, source_system as requester from tasker.tasks where reason = 'good' limit 1",
  );
  expect(rows).toEqual([{ context: '{"amount": 3.0}', requester: "shop" }]);
  await waitFor(
    async () => (await counted("tasker.tasks where reason = 'good' and complete")) === 30,
  );
});

test("a request that is delivered twice is one task, and one that is asked for again is acknowledged", async () => {
  const twice = JSON.stringify(message(request({ reason: "twice" })));
  await send(twice);
  await send(twice);
  const keyed = request({ reason: "keyed", idempotency_key: "order-7" });
  await send(JSON.stringify(message(keyed)));
  await send(JSON.stringify(message(keyed)));
  await untilEmpty();
  expect([await tasksOf("twice"), await tasksOf("keyed")]).toEqual([1, 1]);
});

test("what is no task request is archived and logged, and holds up nobody", async () => {
  const poison = [
    '{"hello": "world"}',
    "[1, 2]",
    '"text"',
    JSON.stringify(message({ name: "one" })),
    JSON.stringify(message(request({ priority: 1000 }))),
    JSON.stringify(message(request({ initiator: "" }))),
  ];
  const before = await counted(`pgmq.a_${QUEUE}`);
  const ids: bigint[] = [];
  for (const text of poison) ids.push(await send(text));
  await send(JSON.stringify(message(request({ reason: "behind" }))));
  await untilEmpty();
  expect(await tasksOf("behind")).toBe(1);
  expect(await counted(`pgmq.a_${QUEUE}`)).toBe(before + poison.length);
  for (const id of ids) {
    expect(lines.join("\n")).toContain(`message ${id} of ${QUEUE} was archived: `);
  }
});

test("a template that is registered later is waited for; one that never comes ends in the archive", async () => {
  await send(JSON.stringify(message(request({ name: "later", reason: "later" }))));
  await waitFor(() => lines.join("\n").includes("`tests/later`"));
  await host.engine.register(testTemplate("later", [{ name: "only", callable: "echo" }]));
  const id = await send(JSON.stringify(message(request({ name: "never", reason: "never" }))));
  await untilEmpty();
  expect([await tasksOf("later"), await tasksOf("never")]).toEqual([1, 0]);
  expect(await counted(`pgmq.a_${QUEUE} where msg_id = $1 and read_ct = 7`, [id])).toBe(1);
});

test("a queue name that has no effect is warned about", () => {
  expect(lines.join("\n")).toContain(
    "common.queues.orchestration_queues.step_results is elsewhere, but step results always go through orchestration_step_results",
  );
});
