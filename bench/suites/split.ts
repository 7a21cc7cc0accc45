import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Engine } from "../../core/src/bootstrap.js";
import { defaultConfig } from "../../core/src/config/index.js";
import { createLogger } from "../../core/src/observability/index.js";
import { linear4, run } from "../linear4.js";
import { type Figure, quantile } from "../report.js";

const WORKER = fileURLToPath(new URL("../split-worker.ts", import.meta.url));

/** The same four steps, alone, with a server here and a worker in another process: three queue hops per step. */
export async function measureSplit(options: {
  readonly databaseUrl: string;
  readonly rounds: number;
  /** Tasks one after the other, per round. */
  readonly alone: number;
}): Promise<Figure[]> {
  const server = new Engine({
    databaseUrl: options.databaseUrl,
    role: "server",
    config: defaultConfig(),
    logger: createLogger({ level: "warn" }),
    templates: [linear4("ts")],
    migrate: true,
  });
  await server.start();
  const worker = fork(WORKER, [options.databaseUrl]); // with the loader and the conditions of this process
  const p50: number[] = [];
  const p99: number[] = [];
  try {
    await once(worker, "message");
    await run(server, "ts", 50, 1); // warm-up
    for (let round = 0; round < options.rounds; round += 1) {
      const { latenciesMs } = await run(server, "ts", options.alone, 1);
      p50.push(quantile(latenciesMs, 0.5));
      p99.push(quantile(latenciesMs, 0.99));
    }
  } finally {
    worker.disconnect();
    await once(worker, "exit");
    await server.stop();
  }
  return [
    { id: "linear4.split.ts.p50_ms", unit: "ms", values: p50, target: { op: "<=", value: 15 } },
    { id: "linear4.split.ts.p99_ms", unit: "ms", values: p99 },
  ];
}
