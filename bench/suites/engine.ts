import { fileURLToPath } from "node:url";
import { Engine } from "../../core/src/bootstrap.js";
import { type Config, defaultConfig } from "../../core/src/config/index.js";
import { createLogger } from "../../core/src/observability/index.js";
import { bridgeLanguages } from "../../core/src/worker/bridge-languages.js";
import { linear4, run, typescriptHandlers } from "../linear4.js";
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
    "linear4.alone.ts.p50_ms": { op: "<=", value: 5 },
    "steps_per_s.ts": { op: ">=", value: 3_000 },
  };
  const figures = [...samples].map(([id, values]): Figure => {
    const target = targets[id];
    const unit = id.startsWith("steps") ? "steps/s" : "ms";
    return { id, unit, values, ...(target === undefined ? {} : { target }) };
  });
  return [...figures, { id: "linear4.alone.mixed_to_ts", unit: "ratio", values: ratio }];
}

async function startEngine(databaseUrl: string): Promise<Engine> {
  const config = defaultConfig();
  const engine = new Engine({
    databaseUrl,
    config,
    logger: createLogger({ level: "warn" }),
    templates: [linear4("ts"), linear4("mixed")],
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
