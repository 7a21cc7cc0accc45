import { fileURLToPath } from "node:url";
import { defineHandler } from "@tasker-core/sdk";
import { afterEach, describe, expect, test } from "vitest";
import { StatementCounter } from "../../support/statement-counter.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, type TestStep } from "../../support/test-engine.js";

/**
 * What the hosts say to the database, counted in the driver: every statement of every connection of this process. What
 * comes by the clock, however many steps there are, is bounded by the second instead of by the step.
 */
const database = useTestDatabase({ maxConnections: 2 });
/** The issue allows 10; it is 5: two claims, submit, two looks of the orchestrator. */
const MOST_PER_STEP_SPLIT = 8;
const MOST_PER_BATCH_FUSED = 2;
const STEPS = 4;
const BY_THE_CLOCK =
  /^(claim_unroutable_steps|renew_leases|reconcile_messages|select (1|task_id, state|set_config)|begin|commit|update pgmq|with )/;
const MOST_PER_SECOND = 15;

type Language = "typescript" | "python" | "ruby";
const LANGUAGES: readonly Language[] = ["typescript", "python", "ruby"];
const folder = (language: string): string =>
  fileURLToPath(new URL(`./handlers/${language}`, import.meta.url));

const hosts: TestEngine[] = [];
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.engine.stop()));
});

async function host(language: Language, role: "all" | "server" | "worker"): Promise<TestEngine> {
  const steps: TestStep[] = Array.from({ length: STEPS }, (_, i) => ({
    name: `step_${i}`,
    callable: `count.${language}`,
    dependencies: i === 0 ? [] : [`step_${i - 1}`],
  }));
  const runsSteps = role !== "server";
  const started = await startTestEngine({
    databaseUrl: database.url,
    role,
    templates: { [`linear_${language}`]: steps },
    handlers:
      runsSteps && language === "typescript"
        ? { "count.typescript": defineHandler("count.typescript", {}, async () => ({ n: 1 })) }
        : {},
    languages: runsSteps && language !== "typescript" ? [language] : [],
    handlerFolders: { python: folder("python"), ruby: folder("ruby") },
    configure: (config) => {
      config.lease.lease_seconds = 10;
      config.lease.handler_wait_seconds = 60;
    },
  });
  hosts.push(started);
  return started;
}

/** Creates tasks, `inFlight` of them at once, and waits for each. */
async function run(
  {
    engine,
    create,
  }: { engine: TestEngine["engine"]; create: () => ReturnType<TestEngine["create"]> },
  tasks: number,
  inFlight: number,
): Promise<void> {
  let left = tasks;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const state = await engine.waitForTask(await create(), AbortSignal.timeout(20_000));
      expect(state).toBe("complete");
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

const creator = (host: TestEngine, language: Language) => ({
  engine: host.engine,
  create: () => host.create(`linear_${language}`),
});

/** The statements that `work` causes, once what comes before it has warmed the hosts. */
async function counted(work: () => Promise<void>): Promise<StatementCounter> {
  const counter = new StatementCounter();
  try {
    await work();
  } finally {
    counter.stop();
  }
  return counter;
}

function clockDriven(counts: ReadonlyMap<string, number>): number {
  return [...counts].reduce((sum, [name, count]) => sum + (BY_THE_CLOCK.test(name) ? count : 0), 0);
}

describe.each(LANGUAGES)("%s", (language) => {
  test(`split: at most ${MOST_PER_STEP_SPLIT} statements per step, server and worker together`, async () => {
    const server = creator(await host(language, "server"), language);
    await host(language, "worker");
    await run(server, 5, 1);
    const tasks = 25;
    const startedAt = performance.now();
    const { total, counts } = await counted(() => run(server, tasks, 1));
    const seconds = (performance.now() - startedAt) / 1000;
    const text = JSON.stringify(Object.fromEntries(counts));
    const byTheClock = clockDriven(counts);
    expect(byTheClock, text).toBeLessThanOrEqual(MOST_PER_SECOND * Math.max(1, seconds));
    expect((total - byTheClock) / (tasks * STEPS), text).toBeLessThanOrEqual(MOST_PER_STEP_SPLIT);
    // Each result is submitted and processed, each step claimed: fewer cannot be.
    expect(counts.get("submit_step_results"), text).toBe(tasks * STEPS);
    expect(counts.get("process_step_results"), text).toBeGreaterThanOrEqual(tasks * STEPS);
    expect(counts.get("claim_steps"), text).toBeGreaterThanOrEqual(tasks * STEPS);
  });

  test(`fused: at most ${MOST_PER_BATCH_FUSED} statements per batch of results`, async () => {
    const fused = await host(language, "all");
    const { pump } = fused.engine.worker;
    await run(creator(fused, language), 100, 50);
    const before = pump.counts;
    const tasks = 600;
    const startedAt = performance.now();
    const { total, counts } = await counted(() => run(creator(fused, language), tasks, 50));
    const seconds = (performance.now() - startedAt) / 1000;
    const text = JSON.stringify(Object.fromEntries(counts));
    const byTheClock = clockDriven(counts);
    const batches = pump.counts.ticks - before.ticks;
    expect(pump.counts.committed - before.committed, text).toBe(tasks * STEPS);
    expect(counts.get("tick"), text).toBe(batches);
    expect(tasks * STEPS, "results in more calls than one each").toBeGreaterThan(batches * 2);
    expect(total, text).toBeGreaterThan(batches);
    expect(byTheClock, text).toBeLessThanOrEqual(MOST_PER_SECOND * Math.max(1, seconds));
    expect((total - byTheClock) / batches, text).toBeLessThanOrEqual(MOST_PER_BATCH_FUSED);
  });
});
