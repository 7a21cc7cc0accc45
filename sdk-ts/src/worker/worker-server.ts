import { randomUUID } from "node:crypto";
import { BridgeModule } from "../bridge/bridge-module.js";
import { PublisherRegistry, SubscriberRegistry } from "../domain-events/index.js";
import { TaskerEventEmitter } from "../events/event-emitter.js";
import { EventNames } from "../events/event-names.js";
import { EventSystem } from "../events/event-system.js";
import { FfiLayer, type FfiLayerConfig } from "../ffi/ffi-layer.js";
import type { BootstrapConfig, FfiModule } from "../ffi/module.js";
import { complain } from "../stderr.js";
import { bootstrapWorker } from "./bootstrap.js";
import { HandlerSystem } from "./handler-system.js";
import { ShutdownController } from "./shutdown-controller.js";

export interface WorkerServerConfig extends Pick<BootstrapConfig, "address" | "token" | "pool"> {
  readonly namespace?: string;
  readonly logLevel?: string;
  readonly configPath?: string;
  readonly databaseUrl?: string;
  readonly libraryPath?: string;
  readonly workerId?: string;
  /** Files and folders, besides `TYPESCRIPT_HANDLER_PATH`. */
  readonly handlers?: readonly string[];
  readonly maxConcurrentHandlers?: number;
  readonly handlerTimeoutMs?: number;
  readonly pollIntervalMs?: number;
  readonly starvationCheckInterval?: number;
  readonly cleanupInterval?: number;
  readonly metricsInterval?: number;
}

export type WorkerServerState =
  | "initialized"
  | "starting"
  | "running"
  | "shutting_down"
  | "stopped"
  | "error";

export interface WorkerServerStatus {
  readonly state: WorkerServerState;
  readonly workerId: string;
  readonly running: boolean;
  readonly processedCount: number;
  readonly errorCount: number;
  readonly activeHandlers: number;
  readonly uptimeMs: number;
}

export interface WorkerHealth {
  readonly healthy: boolean;
  readonly status?: WorkerServerStatus;
  readonly error?: string;
}

/** A worker in a program of its own: loads handlers, joins a host, runs steps until {@link shutdown}. */
export class WorkerServer {
  readonly #layer: FfiLayer;
  readonly #handlers = new HandlerSystem();
  readonly #emitter = new TaskerEventEmitter();
  readonly #shutdown = new ShutdownController();
  #workerId = `typescript-worker-${randomUUID()}`;
  #state: WorkerServerState = "initialized";
  #events: EventSystem | null = null;
  #startedAtMs = 0;
  #stopping: Promise<void> | null = null;

  constructor(ffiConfig: FfiLayerConfig = {}) {
    this.#layer = new FfiLayer(ffiConfig);
  }

  /** @throws Error when the worker was started before, or the host cannot be joined. */
  async start(config: WorkerServerConfig = {}): Promise<this> {
    if (this.#state !== "initialized") {
      throw new Error(`A worker starts once; this one is ${this.#state}`);
    }
    this.#state = "starting";
    this.#startedAtMs = Date.now();
    this.#workerId = config.workerId ?? this.#workerId;
    try {
      await this.#layer.load(config.libraryPath);
      await this.#loadHandlers(config.handlers ?? []);
      await this.#join(this.#layer.getModule(), config);
    } catch (cause) {
      this.#state = "error";
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#emitter.emit(EventNames.WORKER_ERROR, { error });
      throw error;
    }
    this.#state = "running";
    this.#emitter.emit(EventNames.WORKER_READY, { workerId: this.#workerId });
    return this;
  }

  /** Lets running steps finish, leaves the host and runs the shutdown handlers. */
  shutdown(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Asks what still runs during a shutdown to stop. */
  async interrupt(): Promise<void> {
    if (this.#layer.isLoaded()) await this.#layer.getModule().transitionToGracefulShutdown();
  }

  onShutdown(handler: () => void | Promise<void>): void {
    this.#shutdown.onShutdown(handler);
  }

  /** Settles, with the reason, when the worker has left its host: by {@link shutdown}, or because the host is gone. */
  async untilClosed(): Promise<string> {
    return await this.#layer.getModule().closed;
  }

  async healthCheck(): Promise<WorkerHealth> {
    const status = this.status();
    if (this.#state !== "running") return { healthy: false, status, error: `It is ${this.#state}` };
    const healthy = this.#layer.getModule().healthCheck();
    return healthy ? { healthy, status } : { healthy, status, error: "The host is not connected" };
  }

  status(): WorkerServerStatus {
    const stats = this.#events?.getStats();
    return {
      state: this.#state,
      workerId: this.#workerId,
      running: this.isRunning(),
      processedCount: stats?.processedCount ?? 0,
      errorCount: stats?.errorCount ?? 0,
      activeHandlers: stats?.activeHandlers ?? 0,
      uptimeMs: this.#startedAtMs === 0 ? 0 : Date.now() - this.#startedAtMs,
    };
  }

  getState(): WorkerServerState {
    return this.#state;
  }

  getWorkerId(): string {
    return this.#workerId;
  }

  isRunning(): boolean {
    return this.#state === "running";
  }

  getHandlerSystem(): HandlerSystem {
    return this.#handlers;
  }

  /** Null before the start. */
  getEventSystem(): EventSystem | null {
    return this.#events;
  }

  getEventEmitter(): TaskerEventEmitter {
    return this.#emitter;
  }

  async #loadHandlers(paths: readonly string[]): Promise<void> {
    await this.#handlers.initialize();
    await this.#handlers.loadFromEnv();
    for (const path of paths) await this.#handlers.loadFromPath(path);
    for (const problem of this.#handlers.problems) complain(`tasker-worker: ${problem}`);
    for (const publisher of this.#handlers.publishers) {
      const { instance } = PublisherRegistry;
      if (!instance.isRegistered(publisher.publisherName)) instance.register(publisher);
    }
  }

  async #join(module: FfiModule, config: WorkerServerConfig): Promise<void> {
    if (module instanceof BridgeModule) {
      module.listen(this.#handlers.lifecycle, [
        ...this.#handlers.subscribers,
        ...SubscriberRegistry.instance.subscribers,
      ]);
    }
    const slots = config.maxConcurrentHandlers ?? 10;
    this.#events = new EventSystem(
      module,
      this.#handlers.getRegistry(),
      {
        poller: pollerConfig(config),
        subscriber: {
          workerId: this.#workerId,
          maxConcurrent: slots,
          ...(config.handlerTimeoutMs === undefined
            ? {}
            : { handlerTimeoutMs: config.handlerTimeoutMs }),
        },
      },
      this.#emitter,
    );
    this.#events.start();
    const result = await bootstrapWorker(bootstrapConfig(config, this, slots), module);
    if (!result.success) throw new Error(result.message);
    this.#emitter.emit(EventNames.WORKER_STARTED, { workerId: this.#workerId });
    void module.closed.then(() => this.shutdown());
  }

  async #stop(): Promise<void> {
    const module = this.#layer.isLoaded() ? this.#layer.getModule() : null;
    const workerId = this.#workerId;
    this.#state = "shutting_down";
    this.#emitter.emit(EventNames.WORKER_SHUTDOWN_STARTED, { workerId });
    if (module?.isWorkerRunning()) await module.stopWorker();
    await this.#events?.stop(0);
    await this.#shutdown.executeHandlers();
    this.#state = "stopped";
    this.#emitter.emit(EventNames.WORKER_STOPPED, { workerId });
  }
}

/** A worker that is not started yet. */
export function createWorkerServer(ffiConfig?: FfiLayerConfig): WorkerServer {
  return new WorkerServer(ffiConfig);
}

function bootstrapConfig(
  config: WorkerServerConfig,
  server: WorkerServer,
  slots: number,
): BootstrapConfig {
  const { env } = process;
  const given = {
    address: config.address,
    token: config.token,
    pool: config.pool,
    namespace: config.namespace ?? env["TASKER_NAMESPACE"],
    logLevel: config.logLevel ?? env["RUST_LOG"],
    configPath: config.configPath ?? env["TASKER_CONFIG_PATH"],
    databaseUrl: config.databaseUrl ?? env["DATABASE_URL"],
  };
  const system = server.getHandlerSystem();
  return {
    workerId: server.getWorkerId(),
    slots,
    handlers: system.offers,
    templates: system.templates,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

function pollerConfig(config: WorkerServerConfig) {
  const { pollIntervalMs, starvationCheckInterval, cleanupInterval, metricsInterval } = config;
  return {
    ...(pollIntervalMs === undefined ? {} : { pollIntervalMs }),
    ...(starvationCheckInterval === undefined ? {} : { starvationCheckInterval }),
    ...(cleanupInterval === undefined ? {} : { cleanupInterval }),
    ...(metricsInterval === undefined ? {} : { metricsInterval }),
  };
}
