import { readFileSync } from "node:fs";
import {
  BasePublisher,
  BaseSubscriber,
  Decision,
  type DomainEvent,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
  RetryableError,
  type StepContext,
  StepHandler,
  type StepResult,
} from "@tasker-core/sdk";
import { collectEvents } from "@tasker-core/sdk/host";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseTemplate } from "../../../core/src/templates/index.js";
import { readRules } from "../../conformance/rules/load.js";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** A template with every field of the contract: it loads, all of it is stored, and what should act, acts. */
const database = useTestDatabase({ maxConnections: 4 });
const parsed = parseTemplate(
  readFileSync(new URL("./support/every-field.yaml", import.meta.url), "utf8"),
  "every-field.yaml",
);
const { fields, dropped } = readRules<{ fields: string[]; dropped: string[] }>("template-fields");

class Shaping extends BasePublisher {
  readonly publisherName = "Shaping";
  override transformPayload({ result }: StepResult) {
    return { ...result, shaped: true };
  }
}
const heard: DomainEvent[] = [];
class Listening extends BaseSubscriber {
  static override subscribesTo() {
    return ["order.*"];
  }
  override async handle(event: DomainEvent) {
    heard.push(event);
  }
}

const seen: StepContext[] = [];
const running = { now: 0, most: 0 };
class Prepare extends StepHandler {
  static override handlerName = "fields.prepare";
  override async call(): Promise<never> {
    throw new Error("the template says `method: run`");
  }
  async run(context: StepContext) {
    seen.push(context);
    if (seen.length === 1) throw new RetryableError("not yet");
    return this.success({ prepared: true });
  }
}

let host: TestEngine;
let taskUuid: string;

beforeAll(async () => {
  if (parsed.template === null) throw new Error(JSON.stringify(parsed.diagnostics));
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {},
    parsedTemplates: [parsed.template],
    events: collectEvents({ Listening, Shaping }),
    handlers: {
      "fields.prepare": Prepare,
      "fields.route": defineDecisionHandler("fields.route", {}, async () =>
        Decision.route(["analyze"]),
      ),
      "fields.analyze": defineBatchAnalyzer(
        "fields.analyze",
        { workerTemplate: "work", inputs: {} },
        async () => ({ totalItems: 60, batchSize: 10 }),
      ),
      "fields.work": defineBatchWorker("fields.work", {}, async ({ context }) => {
        running.now += 1;
        running.most = Math.max(running.most, running.now);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running.now -= 1;
        return { inputs: context.stepInputs };
      }),
      "fields.note": defineHandler("fields.note", {}, async ({ context }) => ({
        inputs: context.stepInputs,
      })),
    },
  });
  const task = await create({ order_id: 7 }, "first");
  taskUuid = task.taskUuid;
  expect(await host.engine.waitForTask(task, AbortSignal.timeout(30_000))).toBe("complete");
});
afterAll(async () => {
  await host?.engine.stop();
  await assertIntegrity(database.pool);
});

async function create(context: unknown, idempotencyKey?: string) {
  return await host.engine.createTask({
    namespace: "fields",
    name: "everything",
    version: "2.1.0",
    context,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  });
}

async function one<T>(text: string, values: readonly unknown[] = []): Promise<T> {
  return (await database.pool.query<T & Record<string, unknown>>(text, values)).rows[0] as T;
}

/** All values at a path; `*` stands for every entry of a list or a map. */
function valuesAt(value: unknown, [key, ...rest]: readonly string[]): unknown[] {
  if (key === undefined) return [value];
  if (typeof value !== "object" || value === null) return [];
  if (key === "*") {
    // jsonb keeps no order of keys.
    const keys = Array.isArray(value) ? Object.keys(value) : Object.keys(value).sort();
    return keys.flatMap((one) => valuesAt((value as Record<string, unknown>)[one], rest));
  }
  return key in value ? valuesAt((value as Record<string, unknown>)[key], rest) : [];
}

test("it loads; what has no effect in a file is said so", () => {
  expect(parsed.diagnostics.map(({ severity, message }) => [severity, message])).toEqual(
    dropped.map((key) => ["warning", `\`${key}\` has no effect in a YAML template`]),
  );
});

test.each(fields)("%s is written, and stored as it was read", async (field) => {
  const path = field.split(".");
  const written = valuesAt(parsed.template, path).filter((value) => value !== null);
  expect(written.length).toBeGreaterThan(0);
  const { configuration } = await one<{ configuration: string }>(
    "select configuration::text from tasker.named_tasks where name = 'everything'",
  );
  expect(valuesAt(JSON.parse(configuration), path)).toEqual(valuesAt(parsed.template, path));
});

test("identity: name, namespace, version, description and strategy are columns", async () => {
  const row = await one(
    `select t.name, t.version, t.description, t.identity_strategy, n.name as namespace
     from tasker.named_tasks t join tasker.task_namespaces n using (task_namespace_uuid)
     where t.name = 'everything'`,
  );
  expect(row).toEqual({
    name: "everything",
    version: "2.1.0",
    description: "One of each field",
    identity_strategy: "caller_provided",
    namespace: "fields",
  });
  await expect(create({ order_id: 8 })).rejects.toMatchObject({ code: "TASK_REQUEST_INVALID" });
  await expect(create({ order_id: 8 }, "first")).rejects.toMatchObject({ code: "TASK_DUPLICATE" });
});

test("what does not fit its column is refused for the one request that brings it", async () => {
  const request = { namespace: "fields", name: "everything", version: "2.1.0" };
  const context = { order_id: 1 };
  const long = "x".repeat(129);
  for (const [wrong, message] of [
    [{ initiator: long }, /initiator has 129 characters; at most 128/],
    [{ sourceSystem: long }, /sourceSystem has 129/],
    [{ reason: "a\0b" }, /reason contains U\+0000/],
    [{ priority: 2 ** 31 }, /priority must be a 32-bit integer, got 2147483648/],
  ] as const) {
    const idempotencyKey = JSON.stringify(wrong);
    const create = host.engine.createTask({ ...request, context, idempotencyKey, ...wrong });
    await expect(create).rejects.toMatchObject({
      code: "TASK_REQUEST_INVALID",
      message: expect.stringMatching(message),
    });
  }
});

test("a long description is stored whole in the configuration, its beginning in the column", async () => {
  if (parsed.template === null) throw new Error("no template");
  const description = "d".repeat(300);
  await host.engine.register({ ...parsed.template, name: "wordy", description });
  const row = await one(
    `select length(description) as column, length(configuration ->> 'description') as whole
     from tasker.named_tasks where name = 'wordy'`,
  );
  expect(row).toEqual({ column: 255, whole: 300 });
});

test("input_schema refuses a context with its path", async () => {
  await expect(create({}, "second")).rejects.toThrow(/order_id/);
});

test("handler: method, resolver and initialization of this environment reach the step", async () => {
  const context = seen[0] as StepContext;
  expect(context.stepInputs).toEqual({ url: "dev", keep: 1, region: "dev" });
  const definition = context.event.stepDefinition;
  expect(definition).toMatchObject({
    name: "prepare",
    description: "Fails once, then prepares",
    systemDependency: "warehouse",
    timeoutSeconds: 20,
    handlerCallable: "fields.prepare",
    handlerMethod: "run",
    handlerResolver: "explicit_mapping",
    retryMaxAttempts: 4,
    retryBackoff: "fibonacci",
    retryBackoffBaseMs: 150,
    retryMaxBackoffMs: 1000,
  });
  const { inputs } = await one<{ inputs: string }>(
    "select inputs::text from tasker.workflow_steps where task_uuid = $1 and name = 'prepare'",
    [taskUuid],
  );
  expect(JSON.parse(inputs)).toEqual({ url: "dev", keep: 1, region: "dev" });
});

test("retry: the step waited for base * F(1), then ran again", async () => {
  expect(seen).toHaveLength(2);
  const { waited, attempts } = await one<{ waited: number; attempts: number }>(
    `select (extract(epoch from max(t.created_at) filter (where t.to_state = 'in_progress')
         - max(t.created_at) filter (where t.to_state = 'waiting_for_retry')) * 1000)::float8 as waited,
       max(s.attempts) as attempts
     from tasker.workflow_steps s join tasker.workflow_step_transitions t using (workflow_step_uuid)
     where s.task_uuid = $1 and s.name = 'prepare'`,
    [taskUuid],
  );
  expect(attempts).toBe(2);
  expect(waited).toBeGreaterThanOrEqual(150);
  expect(waited).toBeLessThan(5000);
  const limits = await database.pool.query(
    `select name, retryable, max_attempts from tasker.workflow_steps
     where task_uuid = $1 and name in ('prepare', 'merge', 'last') order by name`,
    [taskUuid],
  );
  expect(limits.rows).toEqual([
    { name: "last", retryable: false, max_attempts: 3 },
    { name: "merge", retryable: true, max_attempts: 9 },
    { name: "prepare", retryable: true, max_attempts: 4 },
  ]);
});

test("types and dependencies: the chosen branch, its workers, their convergence and what follows", async () => {
  const steps = await host.steps(taskUuid);
  expect(steps.map(({ name, state }) => `${name} ${state}`)).toEqual(
    ["prepare", "route", "analyze", "merge", "last"]
      .concat([0, 1, 2, 3, 4, 5].map((n) => `work_batch_00${n}`))
      .map((name) => `${name} complete`),
  );
});

test("batch_config: two workers at a time, with cursor field, strategy and initialization in their inputs", async () => {
  expect(running.most).toBe(2);
  const steps = await host.steps(taskUuid);
  const result = steps.find(({ name }) => name === "work_batch_002")?.results?.result;
  expect(result).toMatchObject({
    inputs: {
      factor: 2,
      region: "dev",
      batch_metadata: { cursor_field: "id", failure_strategy: "isolate" },
      cursor: { batch_id: "batch_002" },
      is_no_op: false,
      __template_step_name: "work",
    },
  });
});

test("publishes_events: condition, schema, delivery mode and publisher decide what is heard where", async () => {
  await waitFor(() => heard.length > 0);
  expect(heard.map(({ eventName }) => eventName)).toEqual(["order.heard"]);
  const { rows } = await database.pool.query<{ name: string; by: string; payload: string }>(
    `select message ->> 'event_name' as name, message #>> '{metadata,fired_by}' as by,
       message #>> '{payload,payload}' as payload
     from pgmq.q_fields_domain_events order by 1`,
  );
  expect(rows.map(({ name, by }) => [name, by])).toEqual([
    ["order.prepared", "Shaping"],
    ["order.retried", "DefaultDomainEventPublisher"],
  ]);
  expect(JSON.parse(rows[0]?.payload ?? "null")).toEqual({ prepared: true, shaped: true });
});

test("lifecycle: its own limits decide what is stale, and the action what happens", async () => {
  const { rows } = await database.pool.query(
    `select s.state, tasker.calculate_staleness_threshold(s.state, t.configuration -> 'lifecycle') as minutes
     from tasker.named_tasks t, unnest('{waiting_for_dependencies,waiting_for_retry,steps_in_process}'::text[]) s(state)
     where t.name = 'everything'`,
  );
  expect(rows.map((row) => row["minutes"])).toEqual([11, 12, 13]);
});
