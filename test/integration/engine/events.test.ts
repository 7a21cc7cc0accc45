import {
  BasePublisher,
  BaseSubscriber,
  type DomainEvent,
  defineHandler,
  EventSubscriber,
  type LifecycleEvent,
  PermanentError,
  RetryableError,
  type StepResult,
} from "@tasker-core/sdk";
import { collectEvents } from "@tasker-core/sdk/host";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

const database = useTestDatabase({ maxConnections: 4 });

const CONDITIONS = ["success", "failure", "retryable_failure", "permanent_failure", "always"];
const MODES = ["durable", "fast", "broadcast"];
const declared = (name: string, rest: object) => ({
  name,
  description: name,
  schema: { type: "object" },
  ...rest,
});
const template = (name: string, callable: string, publishes_events: object[]) =>
  yamlTemplate(
    JSON.stringify({
      name,
      namespace_name: "tests",
      version: "1.0.0",
      identity_strategy: "always_unique",
      steps: [
        {
          name: "only",
          handler: { callable },
          retry: { max_attempts: 2, backoff: "none" },
          publishes_events,
        },
      ],
    }),
  );
const everyEvent = CONDITIONS.flatMap((condition) =>
  MODES.map((delivery_mode) =>
    declared(`${delivery_mode}.${condition}`, { condition, delivery_mode }),
  ),
);

class Shaping extends BasePublisher {
  readonly publisherName = "Shaping";
  readonly after: string[] = [];
  override transformPayload({ result }: StepResult) {
    return { order: result?.["n"] };
  }
  override additionalMetadata() {
    return { audience: "finance" };
  }
  override afterPublish(name: string) {
    this.after.push(name);
  }
}
class Unstorable extends BasePublisher {
  readonly publisherName = "Unstorable";
  override transformPayload() {
    return { text: "a\0b" };
  }
}
class Throwing extends BasePublisher {
  readonly publisherName = "Throwing";
  override transformPayload(): never {
    throw new Error("cannot shape this");
  }
}

const domainEvents: DomainEvent[] = [];
class Collecting extends BaseSubscriber {
  handle(event: DomainEvent): void {
    domainEvents.push(event);
  }
}
class FailingOnFast extends BaseSubscriber {
  readonly seen: string[] = [];
  static override subscribesTo() {
    return ["fast.*"];
  }
  handle(event: DomainEvent): void {
    this.seen.push(event.eventName);
    throw new Error("a subscriber that always fails");
  }
}

/** The state of the step at the time of the event, as another connection sees it. */
const statesSeen: { type: string; states: string[] }[] = [];
const lifecycle: LifecycleEvent[] = [];
class Watching extends EventSubscriber {
  static override subscribeTo = "*";
  override handle(event: LifecycleEvent): void {
    lifecycle.push(event);
  }
  async handleStepCompleted(event: LifecycleEvent): Promise<void> {
    lifecycle.push(event);
    const { rows } = await database.pool.query<{ state: string }>(
      "select state from tasker.workflow_steps where task_uuid = $1 order by step_id",
      [event.task_id],
    );
    statesSeen.push({ type: event.type, states: rows.map(({ state }) => state) });
  }
}
class Failing extends EventSubscriber {
  static override subscribeTo = ["step.*", "task.*"];
  override handle(): void {
    throw new Error("a listener that always fails");
  }
}

const failing = new FailingOnFast();
const shaping = new Shaping();
let host: TestEngine;
let release: (() => void) | undefined;

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      two: [
        { name: "first", callable: "succeeds" },
        { name: "second", callable: "flaky", dependencies: ["first"], retry: { backoff: "none" } },
      ],
    },
    parsedTemplates: [
      template("succeeds", "succeeds", everyEvent),
      template("retryable", "retryable", everyEvent),
      template("permanent", "permanent", everyEvent),
      template("strict", "succeeds", [
        declared("order.checked", { schema: { type: "object", required: ["total"] } }),
        declared("order.seen", {}),
      ]),
      template("published", "succeeds", [
        declared("order.shaped", { publisher: "Shaping", delivery_mode: "broadcast" }),
        declared("order.broken", { publisher: "Throwing" }),
        declared("order.unknown", { publisher: "Nobody::Knows" }),
      ]),
      template("unstorable", "succeeds", [
        declared("order.nul", { publisher: "Unstorable", delivery_mode: "broadcast" }),
        declared("order.seen", {}),
      ]),
      template("held", "held", everyEvent),
    ],
    handlers: {
      succeeds: defineHandler("succeeds", {}, async () => ({ n: 1 })),
      flaky: defineHandler("flaky", {}, async ({ context }) => {
        if (context.retryCount === 0) throw new RetryableError("once more");
        return { n: 2 };
      }),
      retryable: defineHandler("retryable", {}, async () => {
        throw new RetryableError("later");
      }),
      permanent: defineHandler("permanent", {}, async () => {
        throw new PermanentError("never");
      }),
      held: defineHandler("held", {}, async () => {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return { n: 3 };
      }),
    },
    events: collectEvents({
      Watching,
      Failing,
      Collecting,
      failing,
      shaping,
      Throwing,
      Unstorable,
    }),
  });
});
afterEach(() => {
  domainEvents.length = 0;
  lifecycle.length = 0;
  statesSeen.length = 0;
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await host?.engine.stop();
});

interface Queued {
  readonly event_name: string;
  readonly payload: Record<string, Record<string, unknown>>;
  readonly metadata: Record<string, string>;
}

/** Takes everything of one task out of the queue. */
async function queued(taskUuid: string): Promise<Queued[]> {
  const { rows } = await database.pool.query<{ message: string }>(
    `delete from pgmq.q_tests_domain_events where message -> 'metadata' ->> 'task_uuid' = $1
     returning message::text`,
    [taskUuid],
  );
  return rows.map(({ message }) => JSON.parse(message) as Queued);
}

const BY_HAND = new Set([
  "step.retried",
  "step.retry_requested",
  "step.failed",
  "step.completed",
  "step.resolved_manually",
  "step.cancelled",
  "task.failed",
  "task.completed",
  "task.cancelled",
]);

async function stepUuid(taskUuid: string, name: string): Promise<string> {
  const { rows } = await database.pool.query<{ id: string }>(
    "select workflow_step_uuid as id from tasker.workflow_steps where task_uuid = $1 and name = $2",
    [taskUuid, name],
  );
  return rows[0]?.id ?? "";
}

const names = (events: readonly { readonly event_name: string }[]) =>
  events.map(({ event_name }) => event_name).sort();
const localNames = () => domainEvents.map(({ eventName }) => eventName).sort();

describe("domain events", () => {
  test.each([
    ["succeeds", 1, ["always", "success"]],
    ["retryable", 2, ["always", "failure", "retryable_failure"]],
    ["permanent", 1, ["always", "failure", "permanent_failure"]],
  ])("conditions and delivery modes of a step that %s", async (name, attempts, conditions) => {
    const { taskUuid } = await host.run(name);
    const times = <T>(list: readonly T[]) => list.flatMap((item) => Array<T>(attempts).fill(item));
    const expected = (modes: readonly string[]) =>
      times(modes.flatMap((mode) => conditions.map((condition) => `${mode}.${condition}`))).sort();
    const local = expected(["fast", "broadcast"]);
    await waitFor(() => domainEvents.length >= local.length);
    expect(localNames()).toEqual(local);
    expect(names(await queued(taskUuid))).toEqual(expected(["durable", "broadcast"]));
  });

  test("the envelope is the contract's", async () => {
    const { taskUuid } = await host.run("succeeds");
    const event = (await queued(taskUuid)).find(
      ({ event_name }) => event_name === "durable.success",
    );
    expect(event).toMatchObject({
      event_version: "1.0",
      payload: {
        task_sequence_step: { task: { task_name: "succeeds" }, workflow_step: { name: "only" } },
        execution_result: { success: true, result: { n: 1 }, status: "completed" },
        payload: { n: 1 },
      },
      metadata: {
        task_uuid: taskUuid,
        step_name: "only",
        namespace: "tests",
        fired_by: "DefaultDomainEventPublisher",
      },
    });
    expect(Object.keys(event ?? {}).sort()).toEqual(
      ["event_id", "event_name", "event_version", "metadata", "payload"].sort(),
    );
    expect(Object.keys(event?.metadata ?? {}).sort()).toEqual([
      "correlation_id",
      "fired_at",
      "fired_by",
      "namespace",
      "step_name",
      "step_uuid",
      "task_uuid",
    ]);
    await waitFor(() => domainEvents.length >= 4);
    expect(domainEvents.find(({ eventName }) => eventName === "broadcast.success")).toMatchObject({
      businessPayload: { n: 1 },
      executionResult: { success: true, result: { n: 1 } },
      metadata: { taskUuid, stepName: "only", publisher: "DefaultDomainEventPublisher" },
    });
  });

  test("a subscriber gets what its pattern matches; one that fails is counted and changes nothing", async () => {
    failing.seen.length = 0;
    const before = host.engine.domainEvents.counts.failed;
    const { state } = await host.run("succeeds");
    expect(state).toBe("complete");
    await waitFor(() => failing.seen.length >= 2);
    expect([...failing.seen].sort()).toEqual(["fast.always", "fast.success"]);
    expect(host.engine.domainEvents.counts.failed).toBe(before + 2);
  });

  test("a payload that does not match its schema is left out; the step and other events are not", async () => {
    const before = host.engine.publisher.counts.skipped;
    const { state, taskUuid } = await host.run("strict");
    expect(state).toBe("complete");
    expect(host.engine.publisher.counts.skipped).toBe(before + 1);
    expect(names(await queued(taskUuid))).toEqual(["order.seen"]);
  });

  test("a publisher shapes its event; one that throws loses its own; an unknown one is the default", async () => {
    const { state, taskUuid } = await host.run("published");
    expect(state).toBe("complete");
    const events = await queued(taskUuid);
    expect(names(events)).toEqual(["order.shaped", "order.unknown"]);
    const shaped = events.find(({ event_name }) => event_name === "order.shaped");
    expect(shaped?.payload["payload"]).toEqual({ order: 1 });
    expect(shaped?.metadata).toMatchObject({ fired_by: "Shaping", audience: "finance" });
    await waitFor(() => domainEvents.length === 1);
    expect(domainEvents[0]?.businessPayload).toEqual({ order: 1 });
    expect(shaping.after).toEqual(["order.shaped"]);
  });

  test("an event that jsonb cannot hold does not fail its step", async () => {
    const { state, steps, taskUuid } = await host.run("unstorable");
    expect(state).toBe("complete");
    expect(steps[0]?.attempts).toBe(1);
    expect(names(await queued(taskUuid))).toEqual(["order.seen"]);
    await waitFor(() => domainEvents.length === 1);
    expect(domainEvents[0]?.businessPayload).toEqual({ text: "a\0b" });
  });

  test("a result that comes too late publishes nothing", async () => {
    const { counts } = host.engine.worker.pump;
    const task = await host.create("held");
    await waitFor(() => release);
    await host.engine.cancelTask(task.taskUuid);
    release?.();
    await waitFor(() => host.engine.worker.pump.counts.stale > counts.stale);
    await waitFor(() => lifecycle.some(({ type }) => type === "task.cancelled"));
    expect(localNames()).toEqual([]);
    expect(await queued(task.taskUuid)).toEqual([]);
    expect(lifecycle.map(({ type }) => type)).not.toContain("step.completed");
  });
});

describe("lifecycle events", () => {
  test("tell a task from start to end, in order, once it is committed", async () => {
    const { taskUuid } = await host.run("two", { order: 7 });
    const ofTask = () => lifecycle.filter(({ task_id }) => task_id === taskUuid);
    await waitFor(() => ofTask().some(({ type }) => type === "task.completed"));
    const known = ["started", "completed", "failed", "retried"];
    const told = ofTask().filter(({ type }) => known.includes(type.split(".")[1] ?? ""));
    expect(told.map(({ type, step_name }) => [type, step_name])).toEqual([
      ["task.started", null],
      ["step.started", "first"],
      ["step.completed", "first"],
      ["step.started", "second"],
      ["step.retried", "second"],
      ["step.started", "second"],
      ["step.completed", "second"],
      ["task.completed", null],
    ]);
    expect(told[2]).toMatchObject({
      namespace: "tests",
      task_name: "two",
      version: "1.0.0",
      context: { order: 7 },
      result: { n: 1 },
      duration: expect.any(Number),
      correlation_id: told[0]?.correlation_id,
    });
    expect(told[2]?.timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(told[4]).toMatchObject({ error: { message: "once more", retryable: true } });
    expect(told[7]?.duration).toBeGreaterThanOrEqual(0);
    // The finer names of the same moments.
    const types = ofTask().map(({ type }) => type);
    expect(types).toEqual(
      expect.arrayContaining(["task.initialize_requested", "step.execution_requested"]),
    );
    expect(types).toContain("step.retry_requested");
    expect(statesSeen.map(({ states }) => states[0])).toEqual(["complete", "complete"]);
  });

  test("the finer names of the contract, each at its moment", async () => {
    const { taskUuid } = await host.run("succeeds");
    const types = () =>
      lifecycle.filter(({ task_id }) => task_id === taskUuid).map(({ type }) => type);
    await waitFor(() => types().includes("task.completed"));
    expect(types()).toEqual([
      "task.started",
      "task.initialize_requested",
      "task.steps_discovery_completed",
      "task.steps_enqueued",
      "step.started",
      "step.execution_requested",
      "step.handle",
      "step.completed",
      "step.enqueued_for_orchestration",
      "task.step_results_received",
      "task.completed",
    ]);
  });

  test("what an operator does is told, too", async () => {
    const told = (taskUuid: string) =>
      lifecycle
        .filter(({ task_id, type }) => task_id === taskUuid && BY_HAND.has(type))
        .map(({ type, step_name }) => `${type} ${step_name}`);
    const { taskUuid } = await host.run("permanent");
    const step = await stepUuid(taskUuid, "only");
    await host.engine.resetStep(taskUuid, step);
    await host.engine.waitForTask(taskUuid, AbortSignal.timeout(20_000));
    await host.engine.completeStep(taskUuid, step, { result: { approved: true } });
    await waitFor(() => told(taskUuid).includes("task.completed null"));
    expect(told(taskUuid)).toEqual([
      "step.failed only",
      "task.failed null",
      "step.retried only",
      "step.retry_requested only",
      "step.failed only",
      "task.failed null",
      "step.completed only",
      "task.completed null",
    ]);
    const completed = lifecycle.find(({ type }) => type === "step.completed");
    expect(completed).toMatchObject({ result: { approved: true }, duration: null });

    const resolved = await host.run("permanent");
    await host.engine.resolveStep(resolved.taskUuid, await stepUuid(resolved.taskUuid, "only"));
    await waitFor(() => told(resolved.taskUuid).includes("task.completed null"));
    expect(told(resolved.taskUuid)).toEqual([
      "step.failed only",
      "task.failed null",
      "step.resolved_manually only",
      "task.completed null",
    ]);

    const released = release;
    const held = await host.create("held");
    await waitFor(() => release !== released);
    await host.engine.cancelTask(held.taskUuid);
    release?.();
    await waitFor(() => told(held.taskUuid).includes("task.cancelled null"));
    expect(told(held.taskUuid)).toEqual(["step.cancelled only", "task.cancelled null"]);
  });

  test("a failed task and its step; subscribers that throw change nothing", async () => {
    const before = host.engine.events.counts.failed;
    const { taskUuid, state } = await host.run("permanent");
    expect(state).toBe("blocked_by_failures");
    await waitFor(() => lifecycle.some(({ type }) => type === "task.blocked_by_failures"));
    const types = lifecycle.filter(({ task_id }) => task_id === taskUuid).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(["step.failed", "task.failed"]));
    expect(types).not.toContain("step.retried");
    expect(lifecycle.find(({ type }) => type === "step.failed")?.error).toMatchObject({
      message: "never",
      retryable: false,
    });
    await waitFor(() => host.engine.events.counts.failed > before);
  });

  test("go to whoever listens, until it stops", async () => {
    const seen: string[] = [];
    const end = host.engine.events.subscribe("task.completed", ({ type }) => void seen.push(type));
    await host.run("succeeds");
    await waitFor(() => seen.length === 1);
    end();
    await host.run("succeeds");
    await waitFor(() => lifecycle.filter(({ type }) => type === "task.completed").length >= 2);
    expect(seen).toEqual(["task.completed"]);
  });
});

test("in split mode the worker tells of its steps and publishes, the server tells of tasks", async () => {
  const split = template("split", "in_split", [
    declared("split.done", { delivery_mode: "broadcast" }),
  ]);
  const options = { databaseUrl: database.url, templates: {}, parsedTemplates: [split] };
  const in_split = defineHandler("in_split", {}, async () => ({ n: 1 }));
  // One after the other: handlers of a process are shared, and the server is to have none for this step.
  const server = await startTestEngine({ ...options, role: "server" });
  const worker = await startTestEngine({ ...options, role: "worker", handlers: { in_split } });
  try {
    const told: string[] = [];
    const note = (who: string) => (event: LifecycleEvent | DomainEvent) =>
      void told.push(`${who} ${"type" in event ? event.type : event.eventName}`);
    const wanted = ["task.started", "task.completed", "step.completed"];
    server.engine.events.subscribe(wanted, note("server"));
    worker.engine.events.subscribe(wanted, note("worker"));
    worker.engine.domainEvents.subscribe("split.*", note("worker"));
    const { taskUuid } = await server.run("split");
    await waitFor(() => told.length >= 4, { describe: () => told.join(", ") });
    expect([...told].sort()).toEqual([
      "server task.completed",
      "server task.started",
      "worker split.done",
      "worker step.completed",
    ]);
    expect(names(await queued(taskUuid))).toEqual(["split.done"]);
  } finally {
    await worker.engine.stop();
    await server.engine.stop();
  }
});

test("an event schema that is no schema is refused when the template is registered", async () => {
  const broken = template("broken", "succeeds", [declared("a.b", { schema: { type: "objekt" } })]);
  await expect(host.engine.register(broken)).rejects.toMatchObject({ code: "TEMPLATE_INVALID" });
});
