import { BridgeSupervisor } from "../../core/src/bridge/index.js";
import {
  CompletionChannel,
  FfiDispatchChannel,
  type StepDelivery,
  type StepOutcome,
} from "../../core/src/channels/index.js";
import { defaultConfig } from "../../core/src/config/index.js";
import { systemClock } from "../../core/src/lib/clock.js";
import { createLogger } from "../../core/src/observability/index.js";
import { nativeLibraries } from "../../core/src/worker/native-libraries.js";
import { createDelivery } from "../../core/test/support/deliveries.js";
import { waitFor } from "../../test/support/wait-for.js";

export interface NativeLibrarySettings {
  readonly path: string;
  readonly name?: string;
  readonly sha256?: string;
  readonly slots?: number;
  readonly isolated?: boolean;
  readonly callables?: string[];
  readonly settings?: Record<string, string>;
}

/** One configured library behind a dispatch channel, as a worker runs it; no database. */
export class NativePool {
  readonly channel: FfiDispatchChannel;
  readonly supervisor: BridgeSupervisor;
  readonly #completions = new CompletionChannel({ capacity: 4096 });
  readonly #outcomes = new Map<string, StepOutcome>();

  private constructor(bridge: Awaited<ReturnType<typeof nativeLibraries>>[number]) {
    this.channel = new FfiDispatchChannel({
      pool: "native",
      capacity: 4096,
      completions: this.#completions,
      clock: systemClock,
    });
    this.#completions.onArrival(() => {
      for (const { delivery, outcome, settled } of this.#completions.takeAll()) {
        if (outcome.outcome !== "yield") this.#outcomes.set(delivery.deliveryId, outcome);
        settled("committed");
      }
    });
    this.supervisor = new BridgeSupervisor({
      language: "native",
      command: bridge.command,
      args: bridge.args,
      ...(bridge.open === undefined ? {} : { open: bridge.open }),
      startAttempts: 1,
      pool: bridge.pool ?? "native",
      channel: this.channel,
      cancelGraceMs: 200,
      killGraceMs: 500,
      drainGraceMs: 500,
      logger: createLogger({ level: "silent" }),
      clock: systemClock,
    });
  }

  /** @throws what keeps the library from being used */
  static async start(settings: NativeLibrarySettings): Promise<NativePool> {
    const config = defaultConfig();
    config.worker.native = [
      {
        name: "lib",
        sha256: "",
        slots: 2,
        isolated: false,
        processes: 1,
        callables: [],
        settings: {},
        ...settings,
      },
    ];
    const [bridge] = await nativeLibraries(config);
    if (bridge === undefined) throw new Error("one library was configured");
    const pool = new NativePool(bridge);
    await pool.supervisor.start(AbortSignal.timeout(20_000));
    return pool;
  }

  /** Offers a step and waits for what becomes of it. */
  async run(
    callable: string,
    context: Readonly<Record<string, unknown>> = {},
    overrides: Partial<StepDelivery> = {},
  ): Promise<StepOutcome> {
    const delivery = this.offer(callable, context, overrides);
    return await this.outcome(delivery.deliveryId);
  }

  offer(
    callable: string,
    context: Readonly<Record<string, unknown>> = {},
    overrides: Partial<StepDelivery> = {},
  ): StepDelivery {
    const delivery = createDelivery({ callable, ...overrides }, context);
    if (!this.channel.offer(delivery)) throw new Error("the channel is full");
    return delivery;
  }

  async outcome(deliveryId: string): Promise<StepOutcome> {
    return await waitFor(() => this.#outcomes.get(deliveryId), {
      timeoutMs: 15_000,
      intervalMs: 2,
      describe: `an answer to ${deliveryId}`,
    });
  }

  async stop(graceMs = 1000): Promise<void> {
    await this.supervisor.stop({ graceMs });
  }
}

/** The value of a success; anything else is thrown. */
export function resultOf(outcome: StepOutcome): unknown {
  if (outcome.outcome !== "success") throw new Error(JSON.stringify(outcome));
  return JSON.parse(Buffer.from(outcome.value).toString());
}
