import { fileURLToPath } from "node:url";
import { defineHandler } from "@tasker-core/sdk";
import { HandlerRegistry } from "@tasker-core/sdk/host";
import { Engine } from "../../core/src/bootstrap.js";
import { type Config, defaultConfig } from "../../core/src/config/index.js";
import { createLogger } from "../../core/src/observability/index.js";
import { parseTemplate } from "../../core/src/templates/index.js";
import { bridgeLanguages } from "../../core/src/worker/bridge-languages.js";
import { type Figure, quantile } from "../report.js";

export interface EngineBenchOptions {
  readonly databaseUrl: string;
  readonly rounds: number;
  /** Tasks one after the other, per round. */
  readonly alone: number;
  /** Tasks with {@link inFlight} of them going at once, per round. */
  readonly crowd: number;
  readonly inFlight: number;
}

const NEVER = new AbortController().signal;
const VARIANTS = {
  ts: ["bench.ts_first", "bench.ts_second", "bench.ts_third", "bench.ts_last"],
  mixed: ["bench.ts_first", "bench.py_step", "bench.rb_step", "bench.ts_last"],
} as const;
type Variant = keyof typeof VARIANTS;

/** Four trivial steps in a row, created and waited for through the engine's API: fused, durable, nothing mocked. */
export async function measureEngine(options: EngineBenchOptions): Promise<Figure[]> {
  const engine = await startEngine(options.databaseUrl);
  const samples = new Map<string, number[]>();
  const add = (id: string, value: number): void => {
    samples.set(id, [...(samples.get(id) ?? []), value]);
  };
  try {
    for (const variant of ["ts", "mixed"] as const) await run(engine, variant, 100, 20); // warm-up
    for (let round = 0; round < options.rounds; round += 1) {
      // Alternating, so that a slow moment of the machine meets both variants.
      for (const variant of ["ts", "mixed"] as const) {
        const alone = await run(engine, variant, options.alone, 1);
        add(`linear4.alone.${variant}.p50_ms`, quantile(alone.latenciesMs, 0.5));
        add(`linear4.alone.${variant}.p99_ms`, quantile(alone.latenciesMs, 0.99));
        const crowd = await run(engine, variant, options.crowd, options.inFlight);
        add(`steps_per_s.${variant}`, (options.crowd * 4) / crowd.seconds);
      }
    }
  } finally {
    await engine.stop();
  }
  const ratio = (samples.get("linear4.alone.mixed.p50_ms") ?? []).map(
    (mixed, i) => mixed / (samples.get("linear4.alone.ts.p50_ms")?.[i] ?? Number.NaN),
  );
  const targets: Record<string, Figure["target"]> = {
    "linear4.alone.ts.p50_ms": { op: "<=", value: 10 },
    "steps_per_s.ts": { op: ">=", value: 3_000 },
  };
  const figures = [...samples].map(([id, values]): Figure => {
    const target = targets[id];
    const unit = id.startsWith("steps") ? "steps/s" : "ms";
    return { id, unit, values, ...(target === undefined ? {} : { target }) };
  });
  return [...figures, { id: "linear4.alone.mixed_to_ts", unit: "ratio", values: ratio }];
}

async function run(
  engine: Engine,
  variant: Variant,
  tasks: number,
  inFlight: number,
): Promise<{ latenciesMs: number[]; seconds: number }> {
  const latenciesMs: number[] = [];
  let left = tasks;
  const startedAt = performance.now();
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const createdAt = performance.now();
      const task = await engine.createTask({
        namespace: "bench",
        name: `linear_${variant}`,
        version: "1.0.0",
        context: { n: 1 },
      });
      const state = await engine.waitForTask(task, NEVER);
      if (state !== "complete") throw new Error(`task ${task.taskUuid} ended in ${state}`);
      latenciesMs.push(performance.now() - createdAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { latenciesMs, seconds: (performance.now() - startedAt) / 1000 };
}

async function startEngine(databaseUrl: string): Promise<Engine> {
  const config = defaultConfig();
  const engine = new Engine({
    databaseUrl,
    config,
    logger: createLogger({ level: "warn" }),
    templates: [template("ts"), template("mixed")],
    handlers: typescriptHandlers(),
    bridges: await bridges(config),
    migrate: true,
  });
  await engine.start();
  return engine;
}

async function bridges(config: Config) {
  const folder = (language: string): string[] => [
    fileURLToPath(new URL(`../handlers/${language}`, import.meta.url)),
  ];
  return await bridgeLanguages({
    config,
    paths: { python: folder("python"), ruby: folder("ruby") },
    env: process.env,
    workingDirectory: process.cwd(),
  });
}

function typescriptHandlers(): HandlerRegistry {
  const registry = new HandlerRegistry();
  const first = defineHandler("bench.ts_first", { inputs: { n: "n" } }, async ({ n }) => ({
    n: Number(n) + 1,
  }));
  registry.register("bench.ts_first", first);
  for (const [name, previous] of [
    ["bench.ts_second", "one"],
    ["bench.ts_third", "two"],
    ["bench.ts_last", "three"],
  ] as const) {
    const next = defineHandler(name, { depends: { previous } }, async ({ previous: value }) => ({
      n: (value as { n: number }).n + 1,
    }));
    registry.register(name, next);
  }
  return registry;
}

function template(variant: Variant) {
  const names = ["one", "two", "three", "four"];
  const steps = VARIANTS[variant].map((callable, i) => ({
    name: names[i],
    handler: { callable },
    dependencies: i === 0 ? [] : [names[i - 1]],
  }));
  const text = JSON.stringify({
    name: `linear_${variant}`,
    namespace_name: "bench",
    version: "1.0.0",
    identity_strategy: "always_unique",
    steps,
  });
  const parsed = parseTemplate(text, `linear_${variant}.json`);
  if (parsed.template === null) throw new Error(JSON.stringify(parsed.diagnostics));
  return parsed.template;
}
