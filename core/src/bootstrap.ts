import type { HandlerRegistry } from "@tasker-core/sdk/host";
import { ActorSystem } from "./actors/runtime/actor-system.js";
import { TaskRequestActor } from "./actors/task-request-actor.js";
import type { Config } from "./config/index.js";
import { assertSchemaUsable, createPool, migrate, type Pool } from "./db/index.js";
import { createDeferred } from "./lib/deferred.js";
import {
  type ActingHost,
  type ManualCompletion,
  OperatorActions,
  type OperatorRemark,
  type StepActedOn,
  type TaskClosed,
} from "./lifecycle/operator-actions.js";
import { type CreatedTask, TaskInitializer } from "./lifecycle/task-initializer.js";
import { newTask, type TaskRequest } from "./lifecycle/task-request.js";
import { TaskWatcher } from "./lifecycle/task-watcher.js";
import { TemplateRegistry } from "./lifecycle/template-registry.js";
import { compileTemplate, type TaskTemplate } from "./model/index.js";
import type { Logger } from "./observability/index.js";
import type { BridgeLanguage } from "./worker/language-pools.js";
import { OrchestratorHost } from "./worker/orchestrator-host.js";
import { WorkerHost, type WorkerSettings } from "./worker/worker-host.js";

export interface EngineOptions {
  /** Postgres with a migrated schema, unless `migrate` is set. */
  readonly databaseUrl: string;
  readonly config: Config;
  readonly logger: Logger;
  readonly templates: readonly TaskTemplate[];
  /** TypeScript handlers that run in this process. */
  readonly handlers?: HandlerRegistry;
  /** Handler processes of other languages. */
  readonly bridges?: readonly BridgeLanguage[];
  /** Bring the schema up to date first. */
  readonly migrate?: boolean;
  /** Default `all`. */
  readonly role?: EngineRole;
}

/**
 * `all`: orchestrator and worker in one process, the shortest way for a result. `server`: settles results and creates
 * tasks, runs no steps. `worker`: runs steps and hands their results to the servers through the queues. Any number of
 * each on one database; the audit trail is the same.
 */
export type EngineRole = "all" | "server" | "worker";

/** A host in one of the roles. The composition root of the system. */
export class Engine {
  readonly pool: Pool;
  readonly templates: TemplateRegistry;
  readonly worker: WorkerHost;
  readonly #options: EngineOptions;
  readonly #parts = new ActorSystem();
  readonly #watcher: TaskWatcher;
  readonly #operator: OperatorActions;
  #requests: TaskRequestActor | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { config, logger, databaseUrl } = options;
    this.pool = createPool({ url: databaseUrl, max: config.common.database.pool.max_connections });
    this.templates = new TemplateRegistry(this.pool);
    this.#watcher = new TaskWatcher(this.pool);
    this.worker = new WorkerHost({
      url: databaseUrl,
      pool: this.pool,
      registry: this.templates,
      typescript:
        options.handlers === undefined
          ? null
          : {
              registry: options.handlers,
              maxConcurrent: config.worker.typescript.max_concurrent,
            },
      bridges: options.bridges ?? [],
      settings: workerSettings(config),
      mode: this.#role === "all" ? "fused" : "split",
      logger,
    });
    this.#operator = new OperatorActions({
      pool: this.pool,
      host: () => (this.worker.isRunning ? this.#actingHost() : undefined),
    });
  }

  /** @throws DatabaseError, ConfigError or PeerError saying what keeps the engine from starting; nothing is left running */
  async start(): Promise<void> {
    const { config, logger } = this.#options;
    try {
      if (this.#options.migrate === true) await migrate({ url: this.#options.databaseUrl });
      await assertSchemaUsable(this.pool);
      for (const template of this.#options.templates) await this.register(template);
      this.#parts.register(this.worker);
      if (this.#role === "server") this.#parts.register(this.#orchestrator());
      await this.#parts.start();
      this.worker.pump.onTaskRested(({ taskId, state }) => this.#watcher.rested(taskId, state));
      this.#requests = new TaskRequestActor(
        {
          mailboxCapacity: config.orchestration.mpsc_channels.command_processor.command_buffer_size,
          batchSize: config.pump.batch_size,
          logger,
        },
        this.#initializer(),
      );
      this.#parts.register(this.#requests);
      await this.#requests.start();
    } catch (error) {
      await this.stop().catch(() => undefined); // the first error is the one to report
      throw error;
    }
    if (this.#role === "server") return;
    for (const callable of this.worker.unservedCallables()) {
      logger.warn({ callable }, `no handler of this worker answers to ${callable}`);
    }
  }

  /** Registers a template, or a new revision of it; tasks created from now on use it. */
  async register(template: TaskTemplate): Promise<void> {
    const { config } = this.#options;
    const { backoff } = config.common;
    await this.templates.register(
      compileTemplate(template, {
        environment: config.common.execution.environment,
        backoff: {
          baseMs: Math.round((backoff.default_backoff_seconds[0] ?? 1) * 1000),
          capMs: backoff.max_backoff_seconds * 1000,
        },
        enforceStepTimeouts: config.compatibility.profile === "default",
      }),
      {
        multiplier: backoff.backoff_multiplier,
        jitter: backoff.jitter_enabled ? backoff.jitter_max_percentage : 0,
      },
    );
  }

  /**
   * Creates a task. Requests that come together are created together.
   * @throws StateError TEMPLATE_NOT_FOUND, TASK_REQUEST_INVALID, TASK_DUPLICATE
   */
  async createTask(request: TaskRequest): Promise<CreatedTask> {
    const template = await this.templates.find(request.namespace, request.name, request.version);
    const reply = createDeferred<CreatedTask>();
    if (this.#requests === undefined) throw new Error("the engine has not been started");
    await this.#requests.send({
      task: newTask(request, template, this.#onMismatch()),
      template,
      reply,
    });
    return await reply.promise;
  }

  /** Resolves with the state in which the task comes to rest. */
  async waitForTask(task: CreatedTask | string, signal: AbortSignal): Promise<string> {
    return typeof task === "string"
      ? await this.#watcher.wait(task, signal)
      : await this.#watcher.waitById(task.taskId, signal);
  }

  /**
   * Cancels the task with every step that is not final. Running handlers are told to stop; what they answer is refused.
   * @throws StateError TASK_NOT_FOUND; INVALID_TRANSITION when the task is final
   */
  async cancelTask(taskUuid: string, remark?: OperatorRemark): Promise<TaskClosed> {
    return await this.#operator.cancelTask(taskUuid, remark);
  }

  /** Closes a task that was dealt with elsewhere. @throws as {@link cancelTask} */
  async resolveTask(taskUuid: string, remark?: OperatorRemark): Promise<TaskClosed> {
    return await this.#operator.resolveTask(taskUuid, remark);
  }

  /**
   * Gives a failed step all of its attempts anew.
   * @throws StateError TASK_NOT_FOUND, STEP_NOT_FOUND; INVALID_TRANSITION when the step is not in error or its task is final
   */
  async resetStep(
    taskUuid: string,
    stepUuid: string,
    remark?: OperatorRemark,
  ): Promise<StepActedOn> {
    return await this.#operator.resetStep(taskUuid, stepUuid, remark);
  }

  /** Declares a step done. Its dependents go on. @throws StateError TASK_NOT_FOUND, STEP_NOT_FOUND */
  async resolveStep(
    taskUuid: string,
    stepUuid: string,
    remark?: OperatorRemark,
  ): Promise<StepActedOn> {
    return await this.#operator.resolveStep(taskUuid, stepUuid, remark);
  }

  /** Completes a step with a result given by hand. @throws StateError TASK_NOT_FOUND, STEP_NOT_FOUND */
  async completeStep(
    taskUuid: string,
    stepUuid: string,
    completion: ManualCompletion,
  ): Promise<StepActedOn> {
    return await this.#operator.completeStep(taskUuid, stepUuid, completion);
  }

  /** Stops taking work, drains, and closes everything in reverse order. Safe to call twice. */
  async stop(): Promise<void> {
    await this.#requests?.stop();
    this.#requests = undefined;
    this.#watcher.close();
    await this.#parts.stop();
    await this.pool.close();
  }

  #actingHost(): ActingHost {
    const { worker } = this;
    return {
      workerId: worker.workerId,
      stopSteps: (stepIds, reason) => worker.stopSteps(stepIds, reason),
      onTaskRested: (taskId, state) => this.#watcher.rested(taskId, state),
      onStepsQueued: () => worker.pump.requestScan(),
    };
  }

  get #role(): EngineRole {
    return this.#options.role ?? "all";
  }

  #orchestrator(): OrchestratorHost {
    return new OrchestratorHost({
      url: this.#options.databaseUrl,
      pool: this.pool,
      namespaceIds: () => [...this.templates.namespaces().keys()],
      settings: workerSettings(this.#options.config),
      logger: this.#options.logger,
      onTaskRested: ({ taskId, state }) => this.#watcher.rested(taskId, state),
    });
  }

  #onMismatch(): "refuse" | "accept" {
    return this.#options.config.compatibility.profile === "default" ? "refuse" : "accept";
  }

  #initializer(): TaskInitializer {
    const { worker } = this;
    return new TaskInitializer({
      link: worker.link,
      pools: worker.pools,
      cache: worker.cache,
      workerId: worker.workerId,
      leaseMs: this.#options.config.lease.lease_seconds * 1000,
      accept: (outcome, done) => worker.pump.accept(outcome, done),
    });
  }
}

function workerSettings(config: Config): WorkerSettings {
  const { handler_dispatch, ffi_dispatch } = config.worker.mpsc_channels;
  const mode = config.worker.event_systems.worker.deployment_mode;
  return {
    batchSize: config.pump.batch_size,
    pollIntervalMs: config.pump.poll_interval_ms,
    idleAfterMs: config.pump.idle_after_ms,
    timerLimit: config.pump.batch_size,
    timerPollMs:
      config.orchestration.event_systems.task_readiness.timing.fallback_polling_interval_seconds *
      1000,
    leaseMs: config.lease.lease_seconds * 1000,
    maxDeaths: config.lease.max_deaths,
    checkpointHistoryLimit: config.pump.checkpoint_history_limit,
    handlerWaitMs: config.lease.handler_wait_seconds * 1000,
    handlerTimeoutMs: handler_dispatch.handler_timeout_ms,
    completionTimeoutMs: ffi_dispatch.completion_timeout_ms,
    completionBufferSize: handler_dispatch.completion_buffer_size,
    prefetchMs: config.pump.prefetch_ms,
    maxPrefetchPerSlot: config.pump.max_prefetch_per_slot,
    cacheBytes: config.pump.cache_bytes,
    drainTimeoutMs: config.orchestration.shutdown_timeout_ms,
    isListening: mode !== "PollingOnly",
    routes: config.worker.routes,
    enforceResultSchemas: config.compatibility.profile === "default",
    plans: {
      decisionsEnabled: config.orchestration.decision_points.enabled,
      maxStepsPerDecision: config.orchestration.decision_points.max_steps_per_decision,
      maxDecisionDepth: config.orchestration.decision_points.max_decision_depth,
      batchesEnabled: config.orchestration.batch_processing.enabled,
      maxWorkers: config.orchestration.batch_processing.max_workers_per_batch,
    },
  };
}
