import { hostname } from "node:os";
import { registerWorker, stopWorker } from "../db/functions/index.js";
import { type Pool, PumpLink } from "../db/index.js";
import { WakeListener } from "../event-systems/wake-listener.js";
import type { CircuitBreaker } from "../lib/circuit-breaker.js";
import { newUuid } from "../lib/uuid.js";
import type { Logger } from "../observability/index.js";
import { type OrchestratorDeps, OrchestratorLoop } from "./orchestrator-loop.js";

export interface OrchestratorHostOptions {
  readonly url: string;
  readonly pool: Pool;
  readonly namespaceIds: OrchestratorDeps["namespaceIds"];
  readonly settings: OrchestratorDeps["settings"] & {
    readonly isListening: boolean;
    readonly openRetryMs: number;
  };
  /** Towards the database. */
  readonly circuit: CircuitBreaker;
  readonly logger: Logger;
  readonly onTaskRested: (task: { readonly taskId: bigint; readonly state: string }) => void;
}

/** An orchestrator with what it needs to live: its identity in the audit trail, its connection, its wake-ups. */
export class OrchestratorHost {
  readonly name = "orchestrator-host";
  readonly #options: OrchestratorHostOptions;
  readonly #ending = new AbortController();
  #link: PumpLink | undefined;
  #loop: OrchestratorLoop | undefined;
  #listener: WakeListener | undefined;
  #workerId = 0;

  constructor(options: OrchestratorHostOptions) {
    this.#options = options;
  }

  /** Results settled since the start. */
  get settledCount(): number {
    return this.#loop?.settledCount ?? 0;
  }

  async start(): Promise<void> {
    const { url, pool, namespaceIds, settings, logger, onTaskRested } = this.#options;
    const identity = {
      workerUuid: newUuid(),
      name: `tasker-orchestrator-${hostname()}-${process.pid}`,
      hostname: hostname(),
      pid: process.pid,
    };
    this.#workerId = (await registerWorker(pool, identity, [])).workerId;
    this.#link = new PumpLink({
      url,
      applicationName: "tasker-orchestrator",
      circuit: this.#options.circuit,
      openRetryMs: settings.openRetryMs,
      logger,
      signal: this.#ending.signal,
    });
    this.#loop = new OrchestratorLoop({
      link: this.#link,
      workerId: this.#workerId,
      namespaceIds,
      settings,
      logger,
    });
    this.#loop.onTaskRested(onTaskRested);
    await this.#loop.start();
    if (!settings.isListening) return;
    const wake = (): void => this.#loop?.requestScan();
    this.#listener = new WakeListener({
      url,
      workerId: this.#workerId,
      logger,
      onMessage: wake,
      onListening: wake,
    });
    await this.#listener.start();
  }

  async stop(): Promise<void> {
    await this.#loop?.stop();
    await this.#listener?.stop();
    await this.#link
      ?.call((db) => stopWorker(db, this.#workerId))
      .catch((error: unknown) => {
        this.#options.logger.debug({ err: error }, "the orchestrator was not signed off");
      });
    this.#ending.abort(new Error("the orchestrator has stopped"));
    await this.#link?.close();
  }
}
