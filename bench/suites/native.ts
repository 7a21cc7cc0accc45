import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { type FullExports, loadExports } from "../../bindings/src/exports.js";
import { type LibrarySpec, openLibrary } from "../../bindings/src/index.js";
import { Engine } from "../../core/src/bootstrap.js";
import { defaultConfig } from "../../core/src/config/index.js";
import { createLogger } from "../../core/src/observability/index.js";
import { nativeLibraries } from "../../core/src/worker/native-libraries.js";
import { encodeFrame } from "../../sdk-ts/src/protocol/index.js";
import { NativeBuilds, nativeObstacle } from "../../test/support/native.js";
import { measureBridge } from "../bridge.js";
import { linear4, run, typescriptHandlers } from "../linear4.js";
import { type Figure, median } from "../report.js";

interface NativeOptions {
  readonly databaseUrl: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Tasks with 100 of them going at once, per round. */
  readonly crowd: number;
}

const BATCH = 64;
const CYCLES = 1_000_000;

/** A full library in C: the calls alone, behind a dispatch channel, and behind the whole engine beside TypeScript. */
export async function measureNative(options: NativeOptions): Promise<Figure[]> {
  if (nativeObstacle() !== null) return [];
  const builds = new NativeBuilds();
  try {
    const path = builds.c("examples/native-c/full.c");
    return [
      ...measureCalls(specOf(path, 1)),
      ...(await measurePool(path, options)),
      ...(await measureEngine(path, options)),
    ];
  } finally {
    builds.remove();
  }
}

function specOf(path: string, slots: number): LibrarySpec {
  return { name: "c", path, sha256: null, slots, callables: [], settings: {} };
}

/** `offer` and `drain` with nothing around them, until every answer is there. */
function measureCalls(spec: LibrarySpec): Figure[] {
  const library = loadExports(spec) as FullExports;
  const { handle } = library.open(Buffer.from(JSON.stringify({ name: "c", slots: spec.slots })));
  const header = { type: "step", delivery_id: "0".repeat(36), callable: "c.echo" };
  const body = Buffer.from(JSON.stringify({ context: { pad: "x".repeat(280) } }));
  const frame = Buffer.concat(encodeFrame(header, body));
  const batch = Buffer.concat(Array.from({ length: BATCH }, () => frame));
  const buffer = Buffer.alloc(256 * 1024);
  const one = drainOne(library, handle, frame, buffer);
  const cycles = (count: number): number => {
    const beganAt = performance.now();
    for (let done = 0; done < count; done += BATCH) {
      library.offer(handle, batch, batch.length);
      for (let bytes = 0; bytes < one * BATCH; )
        bytes += Number(library.drain(handle, buffer, buffer.length));
    }
    return ((performance.now() - beganAt) * 1000) / count;
  };
  cycles(CYCLES / 10);
  const before = process.memoryUsage.rss();
  const values = Array.from({ length: 10 }, () => cycles(CYCLES / 10));
  const grownMib = (process.memoryUsage.rss() - before) / 1024 / 1024;
  library.close(handle);
  return [
    { id: "native.offer_drain_us", unit: "us/step", values, target: { op: "<=", value: 5 } },
    {
      id: "native.rss_growth_1m_cycles",
      unit: "MiB",
      values: [grownMib],
      target: { op: "<=", value: 16 },
    },
  ];
}

/** Bytes of one answer. */
function drainOne(library: FullExports, handle: unknown, frame: Buffer, buffer: Buffer): number {
  library.offer(handle, frame, frame.length);
  let size = 0;
  while (size === 0) size = Number(library.drain(handle, buffer, buffer.length));
  return size;
}

async function measurePool(path: string, { rounds, seconds }: NativeOptions): Promise<Figure[]> {
  const measure = (slots: number, librarySlots: number, more: object) =>
    measureBridge({
      language: "native",
      command: path,
      args: [],
      open: () => openLibrary(specOf(path, librarySlots)),
      ...{ bytes: 300, slots, seconds },
      ...more,
    });
  const [echo, one, two, lagMs]: [number[], number[], number[], number[]] = [[], [], [], []];
  const rtt: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const measured = await measure(64, 64, { callable: "c.echo" });
    echo.push(measured.steps_per_s);
    rtt.push(measured.rtt_p50_us);
    const spin = { callable: "c.spin", context: { spin_ms: 20 } };
    one.push((await measure(1, 1, spin)).steps_per_s);
    const loop: IntervalHistogram = monitorEventLoopDelay({ resolution: 1 });
    loop.enable();
    two.push((await measure(2, 2, spin)).steps_per_s);
    loop.disable();
    lagMs.push(loop.percentile(99) / 1e6);
  }
  const alone = median(one);
  return [
    { id: "native.steps_per_s", unit: "steps/s", values: echo },
    { id: "native.rtt_p50_us", unit: "us", values: rtt },
    {
      id: "native.cpu_bound_2_threads",
      unit: "x of one",
      values: two.map((steps) => steps / alone),
      target: { op: ">=", value: 1.6 },
    },
    {
      id: "native.loop_lag_p99_ms",
      unit: "ms",
      values: lagMs,
      target: { op: "<=", value: 50 },
    },
  ];
}

async function measureEngine(path: string, options: NativeOptions): Promise<Figure[]> {
  const config = defaultConfig();
  config.worker.native = [
    {
      ...{ name: "c", path, sha256: "", slots: 64, isolated: false, processes: 1 },
      ...{ callables: [], settings: {} },
    },
  ];
  const engine = new Engine({
    databaseUrl: options.databaseUrl,
    config,
    logger: createLogger({ level: "warn" }),
    templates: [linear4("ts"), linear4("native")],
    handlers: typescriptHandlers(),
    bridges: await nativeLibraries(config),
    migrate: true,
  });
  await engine.start();
  const found: Record<"ts" | "native", number[]> = { ts: [], native: [] };
  try {
    for (const variant of ["ts", "native"] as const) await run(engine, variant, 200, 50);
    for (let round = 0; round < options.rounds; round += 1) {
      for (const variant of ["ts", "native"] as const) {
        const { seconds } = await run(engine, variant, options.crowd, 100);
        found[variant].push((options.crowd * 4) / seconds);
      }
    }
  } finally {
    await engine.stop();
  }
  return [
    { id: "native.durable_steps_per_s", unit: "steps/s", values: found.native },
    { id: "native.durable_steps_per_s_ts", unit: "steps/s", values: found.ts },
    {
      id: "native.durable_to_ts",
      unit: "ratio",
      values: found.native.map((steps, i) => steps / (found.ts[i] ?? Number.NaN)),
      target: { op: ">=", value: 1 },
    },
  ];
}
