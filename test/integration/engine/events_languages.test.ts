import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BaseSubscriber, type DomainEvent } from "@tasker-core/sdk";
import { collectEvents } from "@tasker-core/sdk/host";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

interface Line {
  readonly lifecycle?: string;
  readonly by?: string;
  readonly event?: Readonly<Record<string, unknown>>;
  readonly domain?: string;
  readonly payload?: unknown;
  readonly fired_by?: string;
  readonly audience?: string;
  readonly after?: string;
}

const declared = (name: string, rest: object = {}) => ({
  name,
  description: name,
  schema: { type: "object" },
  ...rest,
});
const template = (
  name: string,
  steps: readonly { readonly name: string; readonly callable: string; readonly after?: string }[],
  publishes_events: object[] = [],
  rest: object = {},
) =>
  yamlTemplate(
    JSON.stringify({
      name,
      namespace_name: "tests",
      version: "1.0.0",
      identity_strategy: "always_unique",
      steps: steps.map(({ name, callable, after }) => ({
        name,
        handler: { callable },
        dependencies: after === undefined ? [] : [after],
        retry: { max_attempts: 2, backoff: "none" },
        publishes_events,
        ...rest,
      })),
    }),
  );

const PUBLISHED = [
  declared("order.shaped", { publisher: "Shaping", delivery_mode: "broadcast" }),
  declared("order.declined", { publisher: "Declining", delivery_mode: "broadcast" }),
  declared("order.broken", { publisher: "Throwing", delivery_mode: "broadcast" }),
  declared("order.plain", { delivery_mode: "fast" }),
  declared("other.plain", { delivery_mode: "fast" }),
  declared("order.strict", {
    publisher: "Shaping",
    delivery_mode: "fast",
    schema: { type: "object", required: ["absent"] },
  }),
  declared("order.failed", { publisher: "Shaping", condition: "failure", delivery_mode: "fast" }),
];

/** The same publishers, subscribers and listeners in Python and Ruby; see handlers/events. */
describe.each(["python", "ruby"] as const)("events in %s", (language) => {
  const database = useTestDatabase({ maxConnections: 4 });
  const folder = mkdtempSync(join(tmpdir(), "tasker-events-"));
  const here: DomainEvent[] = [];
  class Here extends BaseSubscriber {
    static override subscribesTo() {
      return ["order.*"];
    }
    handle(event: DomainEvent): void {
      here.push(event);
    }
  }
  let host: TestEngine;
  let logs = 0;

  beforeAll(async () => {
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: {},
      parsedTemplates: [
        template("two", [
          { name: "first", callable: "events.emit" },
          { name: "second", callable: "events.flaky", after: "first" },
        ]),
        template("broken", [{ name: "only", callable: "events.broken" }]),
        template("one", [{ name: "only", callable: "events.emit" }]),
        template("published", [{ name: "only", callable: "events.emit" }], PUBLISHED),
        template("refused", [{ name: "only", callable: "events.emit" }], PUBLISHED, {
          result_schema: { type: "object", required: ["absent"] },
        }),
      ],
      languages: [language],
      handlerFolders: {
        [language]: fileURLToPath(new URL(`./handlers/events/${language}`, import.meta.url)),
      },
      events: collectEvents({ Here }),
    });
    expect(host.engine.worker.unservedCallables()).toEqual([]);
  });
  afterAll(async () => {
    await host?.engine.stop();
    await assertIntegrity(database.pool);
    rmSync(folder, { recursive: true });
  });

  const newLog = () => join(folder, `${++logs}.jsonl`);
  const read = (log: string): Line[] =>
    existsSync(log)
      ? readFileSync(log, "utf8")
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Line)
      : [];
  const told = (log: string, type: string) => read(log).some(({ lifecycle }) => lifecycle === type);
  const USER_NAMES = /\.(started|completed|failed|retried|cancelled|resolved_manually)$/;
  const sequence = (log: string) =>
    read(log).flatMap(({ lifecycle, event }) =>
      lifecycle !== undefined && USER_NAMES.test(lifecycle)
        ? [[lifecycle, event?.["step_name"]]]
        : [],
    );

  test("a listener is told of a task from start to end, in order", async () => {
    const log = newLog();
    const failedBefore = host.engine.events.counts.failed;
    const { taskUuid, state } = await host.run("two", { log });
    expect(state).toBe("complete");
    await waitFor(() => told(log, "task.completed"));
    expect(sequence(log)).toEqual([
      ["task.started", null],
      ["step.started", "first"],
      ["step.completed", "first"],
      ["step.started", "second"],
      ["step.retried", "second"],
      ["step.started", "second"],
      ["step.completed", "second"],
      ["task.completed", null],
    ]);
    const completed = read(log).filter(({ lifecycle }) => lifecycle === "step.completed");
    expect(completed.map(({ by }) => by)).toEqual(["method", "method"]);
    expect(completed[0]?.event).toMatchObject({
      type: "step.completed",
      task_id: taskUuid,
      step_name: "first",
      namespace: "tests",
      task_name: "two",
      version: "1.0.0",
      context: { log },
      result: { n: 1, log },
    });
    expect(Object.keys(completed[0]?.event ?? {}).sort()).toEqual(
      [
        "type",
        "task_id",
        "step_name",
        "namespace",
        "task_name",
        "version",
        "context",
        "result",
        "duration",
        "timestamp",
        "correlation_id",
      ].sort(),
    );
    const retried = read(log).find(({ lifecycle }) => lifecycle === "step.retried");
    expect(retried?.event).toMatchObject({ error: { message: "once more", retryable: true } });
    // Faulty raised for either step; the counts come with the process's next report.
    await waitFor(() => host.engine.events.counts.failed >= failedBefore + 2);
    expect(host.engine.events.counts.failed).toBe(failedBefore + 2);
  });

  test("a failed step and its task are told with what failed", async () => {
    const log = newLog();
    const { state } = await host.run("broken", { log });
    expect(state).toBe("blocked_by_failures");
    await waitFor(() => told(log, "task.failed"));
    expect(sequence(log)).toEqual([
      ["task.started", null],
      ["step.started", "only"],
      ["step.failed", "only"],
      ["task.failed", null],
    ]);
    const failed = read(log).find(({ lifecycle }) => lifecycle === "step.failed");
    expect(failed?.event).toMatchObject({ error: { message: "never", retryable: false } });
  });

  test("publishers run where the step ran; subscribers of every language get what they shape", async () => {
    const log = newLog();
    here.length = 0;
    const { skipped } = host.engine.publisher.counts;
    const failedBefore = host.engine.domainEvents.counts.failed;
    const { state, taskUuid } = await host.run("published", { log });
    expect(state).toBe("complete");
    await waitFor(
      () =>
        read(log).filter(({ domain, after }) => domain ?? after).length >= 3 && here.length >= 2,
    );
    const domain = read(log).filter((line) => line.domain !== undefined);
    expect(domain).toEqual([
      {
        domain: "order.shaped",
        payload: { order: 1, step: "only", big: 2 ** 60 },
        fired_by: "Shaping",
        audience: "finance",
      },
      {
        domain: "order.plain",
        payload: { n: 1, big: 2 ** 60, log },
        fired_by: "DefaultDomainEventPublisher",
        audience: null,
      },
    ]);
    // As text: JavaScript would round it.
    expect(readFileSync(log, "utf8")).toContain(
      '"big":1152921504606846976'.replace(":", language === "python" ? ": " : ":"),
    );
    // Not for the one that does not match its schema.
    expect(read(log).flatMap(({ after }) => after ?? [])).toEqual(["order.shaped"]);
    expect(here.map(({ eventName }) => eventName)).toEqual(["order.shaped", "order.plain"]);
    expect(here[0]?.metadata).toMatchObject({ publisher: "Shaping", audience: "finance" });
    // Throwing, and the one that does not match its schema.
    expect(host.engine.publisher.counts.skipped).toBe(skipped + 2);
    await waitFor(() => host.engine.domainEvents.counts.failed >= failedBefore + 1);
    const { rows } = await database.pool.query<{ name: string; publisher: string }>(
      `select message ->> 'event_name' as name, message -> 'metadata' ->> 'fired_by' as publisher
       from pgmq.q_tests_domain_events where message -> 'metadata' ->> 'task_uuid' = $1`,
      [taskUuid],
    );
    expect(rows).toEqual([{ name: "order.shaped", publisher: "Shaping" }]);
  });

  test("what a publisher made of a result that the host refuses is not published", async () => {
    const log = newLog();
    here.length = 0;
    const { state, taskUuid } = await host.run("refused", { log });
    expect(state).toBe("blocked_by_failures");
    await waitFor(() => told(log, "task.failed") && here.length > 0);
    // The handler never answered with this failure: the event that is declared for one has the default payload.
    expect(here.map(({ eventName, businessPayload }) => [eventName, businessPayload])).toEqual([
      ["order.failed", {}],
    ]);
    expect(here[0]?.metadata.publisher).toBe("DefaultDomainEventPublisher");
    expect(read(log).filter(({ domain, after }) => domain ?? after)).toMatchObject([
      { domain: "order.failed", payload: {} },
    ]);
    const { rows } = await database.pool.query(
      "select from pgmq.q_tests_domain_events where message -> 'metadata' ->> 'task_uuid' = $1",
      [taskUuid],
    );
    expect(rows).toEqual([]);
  });

  test("a process that dies with its listeners loses what it was sent, not the task; the next one goes on", async () => {
    const [pid] = host.pids(language);
    const { state } = await host.run("one", { die: true });
    expect(state).toBe("complete");
    await waitFor(() => host.pids(language).length === 1 && host.pids(language)[0] !== pid);
    const log = newLog();
    await host.run("one", { log });
    await waitFor(() => told(log, "task.completed"));
    expect(sequence(log)).toEqual([
      ["task.started", null],
      ["step.started", "only"],
      ["step.completed", "only"],
      ["task.completed", null],
    ]);
  });
});

describe.each(["python", "ruby"] as const)("a slow listener in %s", (language) => {
  const database = useTestDatabase({ maxConnections: 3 });

  test("loses the oldest events, counted; it delays no step; a stop tells it what is left", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tasker-events-"));
    const log = join(folder, "log.jsonl");
    const host = await startTestEngine({
      databaseUrl: database.url,
      templates: {},
      parsedTemplates: [template("one", [{ name: "only", callable: "events.emit" }])],
      languages: [language],
      handlerFolders: {
        [language]: fileURLToPath(new URL(`./handlers/events/${language}`, import.meta.url)),
      },
      configure: (config) => {
        config.worker.mpsc_channels.in_process_events.broadcast_buffer_size = 100;
        // The 164 that may wait need 20 ms each at most; the machine may be busy.
        config.worker.mpsc_channels.domain_events.shutdown_drain_timeout_ms = 60_000;
      },
    });
    const tasks = 150;
    const results = await Promise.all(
      Array.from({ length: tasks }, () => host.run("one", { log, slow: true }, 60_000)),
    );
    expect(results.filter(({ state }) => state === "complete")).toHaveLength(tasks);
    await host.engine.stop();
    const lines = readFileSync(log, "utf8").split("\n").length - 1;
    const { delivered, dropped } = host.engine.events.counts;
    expect(dropped).toBeGreaterThan(0);
    // Of a task of one step: six events about the task, five about the step, the finer names included.
    expect(delivered + dropped).toBe(11 * tasks);
    // Audit writes one line for each event that arrived.
    expect(delivered).toBe(lines);
    rmSync(folder, { recursive: true });
  });
});
