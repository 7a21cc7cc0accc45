import type { Cancellation } from "../cancellation.js";
import type { DomainEventEnvelope } from "../domain-events/types.js";
import type { FfiStepEvent } from "../ffi-event.js";
import type { StepExecution } from "../host/outcome.js";
import type { LogFields, LogLevel, LogSink } from "../logger.js";

/** What a worker says about itself when it joins its host. */
export interface BootstrapConfig {
  /** `unix:<path>`, `tcp:<host>:<port>`, `fd:<n>` or `stdio`; default `TASKER_BRIDGE`. */
  readonly address?: string;
  /** Shared with the host; default: the content of the file `TASKER_BRIDGE_TOKEN_FILE`. */
  readonly token?: string | null;
  readonly workerId?: string;
  /** Name of the pool that the host sees. */
  readonly pool?: string;
  /** Steps at once. */
  readonly slots?: number;
  readonly handlers?: readonly HandlerOffer[];
  /** Task templates written in code, in the shape of the YAML file. */
  readonly templates?: readonly Readonly<Record<string, unknown>>[];
  readonly namespace?: string;
  readonly logLevel?: string;
  readonly configPath?: string;
  readonly databaseUrl?: string;
}

export interface HandlerOffer {
  readonly callable: string;
  readonly kind: string;
  readonly version: string;
}

export interface BootstrapResult {
  readonly success: boolean;
  readonly status: "started" | "already_running" | "error";
  readonly message: string;
  readonly workerId?: string;
  readonly error?: string;
}

export interface StopResult {
  readonly success: boolean;
  readonly status: "stopped" | "not_running" | "error";
  readonly message: string;
  readonly workerId?: string;
  readonly error?: string;
}

export interface WorkerStatus {
  readonly success: boolean;
  readonly running: boolean;
  readonly status: "connected" | "reconnecting" | "draining" | "stopped";
  readonly workerId: string | null;
  readonly handlerCount: number;
  /** Deliveries that are not answered yet. */
  readonly inFlight: number;
}

/** How to run one step that was polled. */
export interface StepControl {
  readonly timeoutMs: number;
  readonly cancellation: Cancellation;
  readonly log: LogSink;
}

/**
 * The worker's side of the host. Upstream this is a native library; here it is a connection over the bridge
 * ({@link BridgeModule}), and tests write their own.
 */
export interface FfiModule {
  bootstrapWorker(config: BootstrapConfig): Promise<BootstrapResult>;
  stopWorker(): Promise<StopResult>;
  /** Takes no more steps and leaves when those it has are answered. */
  transitionToGracefulShutdown(): Promise<StopResult>;
  getWorkerStatus(): WorkerStatus;
  isWorkerRunning(): boolean;
  getVersion(): string;
  healthCheck(): boolean;
  /** The next step, or null: never waits. */
  pollStepEvents(): FfiStepEvent | null;
  /** Of a step that was polled and is not answered; null otherwise. */
  stepControl(eventId: string): StepControl | null;
  /** False when nobody waits for this answer any more. */
  completeStepEvent(eventId: string, execution: StepExecution): boolean;
  /** The next domain event for this process, or null: never waits. */
  pollInProcessEvents(): DomainEventEnvelope | null;
  /** Called when there is something to poll. Returns what takes it back. */
  onArrival(listener: () => void): () => void;
  log(level: LogLevel, message: string, fields: LogFields): void;
  /** Settles when the worker is no longer connected and will not be again. */
  readonly closed: Promise<string>;
}
