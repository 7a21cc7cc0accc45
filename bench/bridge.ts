/**
 * The bridge alone, without a database: one handler process, an `echo` handler, as many steps as its slots take.
 *   tsx bench/bridge.ts [python|ruby|node ...]
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BridgeSupervisor, type PeerCarrier } from "../core/src/bridge/index.js";
import {
  CompletionChannel,
  FfiDispatchChannel,
  type StepDelivery,
  type StepPayload,
} from "../core/src/channels/index.js";
import { systemClock } from "../core/src/lib/clock.js";
import { createLogger } from "../core/src/observability/index.js";
import { textPayload } from "../core/src/worker/step-payload.js";

export interface MeasureBridgeOptions {
  readonly language: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Opens what takes the place of a process. */
  readonly open?: () => PeerCarrier;
  /** Size of the step event, at least about 250. */
  readonly bytes: number;
  /** Deliveries in flight. */
  readonly slots: number;
  readonly seconds: number;
  /** Name of the handler; default `reference.echo`, which returns the task's context. */
  readonly callable?: string;
  /** The task's context; it is padded up to {@link bytes}. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Handler processes; default 1. `slots` are those of all of them. */
  readonly processes?: number;
}

export interface BridgeMeasurement {
  readonly steps_per_s: number;
  /** One step in flight, from `offer` to the answer in the completion channel. */
  readonly rtt_p50_us: number;
  readonly rtt_p99_us: number;
  /** CPU of this process, both kinds, with `slots` in flight. */
  readonly host_cpu_us_per_step: number;
}

/** Measures one handler process. Throws when a step fails, so that a broken handler does not look fast. */
export async function measureBridge(options: MeasureBridgeOptions): Promise<BridgeMeasurement> {
  const completions = new CompletionChannel({ capacity: 1024 });
  const channel = new FfiDispatchChannel({
    pool: "default",
    // An answered step leaves the channel only after its successor has been asked for.
    capacity: options.slots * 2,
    completions,
    clock: systemClock,
  });
  const supervisor = new BridgeSupervisor({
    language: options.language,
    command: options.command,
    args: options.args,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.open === undefined ? {} : { open: options.open }),
    processes: options.processes ?? 1,
    pool: "default",
    channel,
    logger: createLogger({ level: "warn" }),
    clock: systemClock,
  });
  await supervisor.start(AbortSignal.timeout(20_000));
  try {
    await untilAllServe(supervisor, options.processes ?? 1);
    const driver = new Driver(channel, completions, options);
    await driver.run(options.slots, Math.min(1, options.seconds)); // warm-up
    const cpuBefore = process.cpuUsage();
    const { steps, seconds } = await driver.run(options.slots, options.seconds);
    const cpu = process.cpuUsage(cpuBefore);
    const { rttUs } = await driver.run(1, Math.min(2, options.seconds));
    rttUs.sort((a, b) => a - b);
    return {
      steps_per_s: Math.round(steps / seconds),
      rtt_p50_us: Math.round(rttUs[Math.floor(rttUs.length * 0.5)] ?? 0),
      rtt_p99_us: Math.round(rttUs[Math.floor(rttUs.length * 0.99)] ?? 0),
      host_cpu_us_per_step: Number(((cpu.user + cpu.system) / steps).toFixed(2)),
    };
  } finally {
    await supervisor.stop({ graceMs: 1000 });
  }
}

/** `start` waits for the first process only. */
async function untilAllServe(supervisor: BridgeSupervisor, processes: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (supervisor.metrics().processes.length < processes) {
    if (performance.now() > deadline) throw new Error(`Not all of ${processes} processes came`);
    await sleep(20);
  }
}

class Driver {
  readonly #channel: FfiDispatchChannel;
  readonly #completions: CompletionChannel;
  readonly #callable: string;
  readonly #payload: StepPayload;
  #nextId = 0;

  constructor(
    channel: FfiDispatchChannel,
    completions: CompletionChannel,
    options: MeasureBridgeOptions,
  ) {
    this.#channel = channel;
    this.#completions = completions;
    this.#callable = options.callable ?? "reference.echo";
    this.#payload = createPayload(options.bytes, this.#callable, options.context ?? {});
  }

  /** Keeps `inFlight` steps going for `seconds`. Round trips are recorded only with one in flight. */
  run(
    inFlight: number,
    seconds: number,
  ): Promise<{ steps: number; seconds: number; rttUs: number[] }> {
    return new Promise((resolve, reject) => {
      const startedAt = performance.now();
      const rttUs: number[] = [];
      let steps = 0;
      let open = inFlight;
      let offeredAt = startedAt;
      const offer = (): void => {
        offeredAt = performance.now();
        if (!this.#channel.offer(this.#delivery())) reject(new Error("The channel was full"));
      };
      const collect = (): void => {
        for (const { delivery, outcome, settled } of this.#completions.takeAll()) {
          if (outcome.outcome !== "success") {
            stopListening();
            reject(new Error(`Step ${delivery.callable} failed: ${JSON.stringify(outcome)}`));
            return;
          }
          const now = performance.now();
          if (inFlight === 1) rttUs.push((now - offeredAt) * 1000);
          settled("committed");
          steps++;
          // Not from within the channel, which is still busy with this completion.
          if (now - startedAt < seconds * 1000) queueMicrotask(offer);
          else if (--open === 0) {
            stopListening();
            resolve({ steps, seconds: (now - startedAt) / 1000, rttUs });
          }
        }
      };
      const stopListening = this.#completions.onArrival(collect);
      for (let i = 0; i < inFlight; i++) offer();
    });
  }

  /** Written out: spreading a template cost 3 µs per step, which would be counted as the host's. */
  #delivery(): StepDelivery {
    const id = `01890a5d-ac96-774b-bcce-${String(this.#nextId++).padStart(12, "0")}`;
    return {
      deliveryId: id,
      templateId: 1,
      templateOrdinal: 0,
      taskId: 1n,
      stepId: 1n,
      leaseToken: 1n,
      taskUuid: TASK_UUID,
      stepUuid: id,
      stepName: "echo",
      correlationId: TASK_UUID,
      parentCorrelationId: null,
      callable: this.#callable,
      method: null,
      pool: "default",
      attempt: 1,
      maxAttempts: 3,
      timeoutMs: 30_000,
      leaseMs: 30_000,
      solo: false,
      traceparent: null,
      payload: this.#payload,
    };
  }
}

const TASK_UUID = "01890a5d-ac96-774b-bcce-b302099a8057";

function createPayload(
  bytes: number,
  callable: string,
  context: Readonly<Record<string, unknown>>,
): StepPayload {
  const event = (padding: string) => ({
    task: {
      task: { task_uuid: TASK_UUID, context: { ...context, padding } },
      task_name: "bench",
      task_version: "1.0.0",
      namespace_name: "default",
    },
    workflow_step: { workflow_step_uuid: TASK_UUID, name: "echo", inputs: null, attempts: 0 },
    dependency_results: {},
    step_definition: { name: "echo", handler: { callable } },
  });
  const least = JSON.stringify(event("")).length;
  const value = event("x".repeat(Math.max(0, bytes - least)));
  return textPayload(() => JSON.stringify(value), "null");
}

type PeerCommand = Pick<MeasureBridgeOptions, "command" | "args" | "env">;

/** How the handler processes of each language are started from a checkout. */
export const BRIDGE_COMMANDS: Readonly<Record<string, (slots: number) => PeerCommand>> = {
  python: (slots) => ({
    command: "python3",
    args: ["-m", "tasker_core.bridge", ...commonArgs("python-bridge", slots)],
    env: { PYTHONPATH: inRoot("python-bridge/src") },
  }),
  ruby: (slots) => ({
    command: "ruby",
    args: [
      "-I",
      inRoot("ruby-bridge/lib"),
      inRoot("ruby-bridge/exe/tasker-bridge"),
      ...commonArgs("ruby-bridge", slots),
    ],
  }),
};

function commonArgs(folder: string, slots: number): string[] {
  return ["--handlers", inRoot(`${folder}/examples/reference_handlers`), "--slots", String(slots)];
}

function inRoot(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const language of process.argv.length > 2
    ? process.argv.slice(2)
    : Object.keys(BRIDGE_COMMANDS)) {
    for (const bytes of [300, 10_000]) {
      const command = BRIDGE_COMMANDS[language]?.(64);
      if (command === undefined) throw new Error(`No command for \`${language}\``);
      const measured = await measureBridge({ language, ...command, bytes, slots: 64, seconds: 3 });
      console.log(language, bytes, measured);
    }
  }
}
