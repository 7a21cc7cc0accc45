import type { CollectedEvents, HandlerRegistry } from "@tasker-core/sdk/host";
import type { DefinedTemplate } from "@tasker-core/sdk/protocol";
import { ActorSystem, type PartStatus } from "./actors/runtime/actor-system.js";
import { TaskRequestActor } from "./actors/task-request-actor.js";
import { TaskRequestIntake } from "./actors/task-request-intake.js";
import type { Config } from "./config/index.js";
import { createDomainEventQueue } from "./db/functions/index.js";
import { assertSchemaUsable, createPool, guardedPool, migrate, type Pool } from "./db/index.js";
import { type Circuits, createCircuits } from "./engine-circuits.js";
import { channelsOf, EngineMetrics, type MeasuredParts } from "./engine-metrics.js";
import {
  consumerSettings,
  deployment,
  disabledSystems,
  ineffectiveSettings,
  intakeSettings,
  isDisabled,
  maintenanceSettings,
  queueLimits,
  templateSettings,
  workerSettings,
} from "./engine-settings.js";

import { createDeferred } from "./lib/deferred.js";
import { createdTask, loadEventTasks } from "./lifecycle/event-tasks.js";
import { DomainEventBus, LifecycleBus } from "./lifecycle/events/index.js";
import {
  type ActingHost,
  type ManualCompletion,
  OperatorActions,
  type OperatorRemark,
  type StepActedOn,
  type TaskClosed,
} from "./lifecycle/operator-actions.js";
import { planLimits } from "./lifecycle/plans/index.js";
import { type CreatedTask, TaskInitializer } from "./lifecycle/task-initializer.js";
import { stepsOfTask } from "./lifecycle/task-queries.js";
import { newTask, type TaskRequest } from "./lifecycle/task-request.js";
import { TaskWatcher } from "./lifecycle/task-watcher.js";
import { TemplateRegistry } from "./lifecycle/template-registry.js";
import {
  DomainEventConsumer,
  type MessagingProvider,
  PgmqProvider,
  type QueueMetrics,
} from "./messaging/index.js";
import { compileTemplate, type TaskTemplate } from "./model/index.js";
import { ChannelMonitor, type Logger, type Metrics } from "./observability/index.js";
import { templateOptions } from "./templates/index.js";
import { readTaskRequest } from "./web/index.js";
import { attachEvents } from "./worker/attach-events.js";
import { CodeTemplates } from "./worker/code-templates.js";
import { EventPublisher } from "./worker/event-publisher.js";
import { EventRelay } from "./worker/event-relay.js";
import type { JoinOptions } from "./worker/joined-host.js";
import type { BridgeLanguage } from "./worker/language-pools.js";
import { MaintenanceLoop } from "./worker/maintenance.js";
import { OrchestratorHost } from "./worker/orchestrator-host.js";
import { WorkerHost } from "./worker/worker-host.js";

export interface EngineOptions {
  /** Postgres with a migrated schema, unless `migrate` is set. */
  readonly databaseUrl: string;
  readonly config: Config;
  readonly logger: Logger;
  readonly templates: readonly TaskTemplate[];
  /** TypeScript handlers that run in this process. */
  readonly handlers?: HandlerRegistry;
  /** Subscribers and publishers of this process, as the handler loader collects them. */
  readonly events?: Partial<CollectedEvents>;
  /** Task templates that TypeScript handler files define in code, in the shape of the YAML file. */
  readonly codeTemplates?: readonly DefinedTemplate[];
  /** Handler processes of other languages. */
  readonly bridges?: readonly BridgeLanguage[];
  /** Where handler processes that were started elsewhere may join. Default: nowhere. */
  readonly join?: JoinOptions | null;
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
  /** Between this host and its database: what is open, and what it does meanwhile. */
  readonly circuits: Circuits;
  readonly templates: TemplateRegistry;
  readonly worker: WorkerHost;
  /** What happens to the tasks and steps of this host, told after the commit. */
  readonly events: LifecycleBus;
  /** Domain events of steps that ran here, with `delivery_mode` `fast` or `broadcast`. */
  readonly domainEvents: DomainEventBus;
  readonly publisher: EventPublisher;
  /** Queues beside the engine's hot path: durable domain events, and what users send themselves. */
  readonly messaging: MessagingProvider;
  /** Sizes of every bounded channel of this process. */
  readonly channels: ChannelMonitor;
  readonly #metrics = new EngineMetrics();
  /** For those with a circuit breaker of their own. */
  readonly #bare: Pool;
  readonly #options: EngineOptions;
  readonly #parts = new ActorSystem();
  readonly #watcher: TaskWatcher;
  readonly #operator: OperatorActions;
  readonly #codeTemplates: CodeTemplates;
  readonly #consumers: DomainEventConsumer[] = [];
  #requests: TaskRequestActor | undefined;
  #intake: TaskRequestIntake | undefined;
  #detachEvents: () => void = () => undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { config, logger, databaseUrl } = options;
    this.circuits = createCircuits(config, logger);
    const { max_connections: max, acquire_timeout_seconds } = config.common.database.pool;
    this.#bare = createPool({
      url: databaseUrl,
      max,
      acquireTimeoutMs: acquire_timeout_seconds * 1000,
    });
    this.pool = guardedPool(this.#bare, this.circuits.database);
    this.templates = new TemplateRegistry(this.pool);
    this.#watcher = new TaskWatcher(this.pool);
    this.messaging = new PgmqProvider({
      db: guardedPool(this.#bare, this.circuits.messaging),
      pollIntervalMs: config.common.queues.pgmq.poll_interval_ms,
    });
    const limits = queueLimits(config);
    this.events = new LifecycleBus({
      loadTasks: (ids) => loadEventTasks(this.pool, this.templates, ids),
      loadSteps: (taskId) => stepsOfTask(this.pool, taskId),
      limits,
      logger,
    });
    this.domainEvents = new DomainEventBus(limits, logger);
    this.publisher = new EventPublisher({
      registry: this.templates,
      bus: this.domainEvents,
      publishers: new Map(options.events?.publishers?.map((p) => [p.publisherName, p])),
      isElsewhere: (name) =>
        this.worker.eventDesks.some(({ publishers }) => publishers.includes(name)),
      logger,
    });
    this.#codeTemplates = new CodeTemplates({
      reading: templateOptions(config),
      register: (template) => this.register(template),
      logger,
    });
    this.worker = new WorkerHost({
      url: databaseUrl,
      pool: this.pool,
      registry: this.templates,
      typescript:
        options.handlers === undefined || this.#role === "server"
          ? null
          : {
              registry: options.handlers,
              maxConcurrent: config.worker.typescript.max_concurrent,
            },
      bridges: this.#role === "server" ? [] : (options.bridges ?? []),
      codeTemplates: this.#codeTemplates,
      join: options.join ?? null,
      lifecycle: this.events,
      publisher: this.publisher,
      relay: (language, desk) =>
        new EventRelay(language, desk, { lifecycle: this.events, domain: this.domainEvents }),
      settings: workerSettings(config),
      circuits: this.circuits,
      meter: this.#metrics,
      mode: this.#role === "all" && !isDisabled(config, "orchestration") ? "fused" : "split",
      logger,
    });
    const parts: Omit<MeasuredParts, "channels"> = {
      worker: this.worker,
      pool: this.pool,
      publisher: this.publisher,
      buses: { lifecycle: this.events, domain: this.domainEvents },
      requests: () => this.#requests,
      circuits: this.circuits,
    };
    const { overflow_policy } = config.common.mpsc_channels;
    this.channels = new ChannelMonitor({
      channels: () => channelsOf(parts),
      warnAt: overflow_policy.log_warning_threshold,
      intervalMs: overflow_policy.metrics.saturation_check_interval_seconds * 1000,
      logger,
    });
    this.#metrics.observe({ ...parts, channels: () => this.channels.status() });
    this.#operator = new OperatorActions({
      pool: this.pool,
      plans: planLimits(config),
      enforceResultSchemas: config.compatibility.profile === "default",
      templates: this.templates,
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
      await this.defineTemplates(this.#options.codeTemplates ?? []);
      this.#detachEvents = attachEvents(this.#options.events ?? {}, {
        lifecycle: this.events,
        domain: this.domainEvents,
        logger,
      });
      this.#parts.register(this.channels, this.worker);
      for (const what of [...disabledSystems(config, this.#role), ...ineffectiveSettings(config)]) {
        logger.warn(what);
      }
      if (this.#role === "server" && !isDisabled(config, "orchestration"))
        this.#parts.register(this.#orchestrator());
      if (this.#role !== "worker") this.#parts.register(this.#maintenance());
      await this.#parts.start();
      this.worker.pump.onTaskRested(({ taskId, state }) => this.#rested(taskId, state));
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
      if (this.#role !== "worker" && !isDisabled(config, "orchestration")) {
        this.#intake = this.#newIntake();
        await this.#intake.start();
      }
    } catch (error) {
      await this.stop().catch(() => undefined); // the first error is the one to report
      throw error;
    }
    if (this.#role === "server") return;
    for (const callable of this.worker.unservedCallables()) {
      logger.warn({ callable }, `no handler of this worker answers to ${callable}`);
    }
  }

  /** Prometheus metrics of this host: `await engine.metrics.render()`. */
  get metrics(): Pick<Metrics, "render" | "samples" | "contentType"> {
    return this.#metrics.metrics;
  }

  /** Share of the last thousand steps whose handlers failed, 0 to 1; null before the first. */
  get stepErrorShare(): number | null {
    return this.#metrics.failures.share;
  }

  /** The parts of this host in the order of starting, and what they have done. */
  status(): PartStatus[] {
    return this.#parts.status();
  }

  /** Depths and ages of every queue of the database: one query per queue. */
  async queueMetrics(): Promise<QueueMetrics[]> {
    const queues = await this.messaging.listQueues();
    return await Promise.all(queues.map((queue) => this.messaging.metrics(queue)));
  }

  /**
   * Registers templates that TypeScript handler files define in code. One that is wrong is reported and left out.
   * @throws DatabaseError when one cannot be stored
   */
  async defineTemplates(templates: readonly DefinedTemplate[]): Promise<void> {
    await this.#codeTemplates.define("typescript", templates);
  }

  /** Registers a template, or a new revision of it; tasks created from now on use it. */
  async register(template: TaskTemplate): Promise<void> {
    const { compile, backoff } = templateSettings(this.#options.config);
    const compiled = compileTemplate(template, compile);
    const { steps } = await this.templates.register(compiled, backoff);
    const publications = steps.flatMap((step) => step.publications);
    if (publications.some(({ delivery_mode }) => delivery_mode !== "fast")) {
      await createDomainEventQueue(this.pool, template.namespace_name);
    }
  }

  /**
   * Creates a task. Requests that come together are created together.
   * @throws StateError TEMPLATE_NOT_FOUND, TASK_REQUEST_INVALID, TASK_DUPLICATE; DatabaseError CIRCUIT_BREAKER_OPEN at once while the database
   *   does not answer. A request that was taken before that waits, and is created once it does.
   */
  async createTask(request: TaskRequest): Promise<CreatedTask> {
    this.circuits.database.assertPassable();
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

  /**
   * Completes a step with a result given by hand; of a decision or a batchable step, what the result calls for is created.
   * @throws StateError TASK_NOT_FOUND, STEP_NOT_FOUND, RESULT_INVALID when the result does not match its schema, or PLAN_IMPOSSIBLE when it calls for what cannot be created
   */
  async completeStep(
    taskUuid: string,
    stepUuid: string,
    completion: ManualCompletion,
  ): Promise<StepActedOn> {
    return await this.#operator.completeStep(taskUuid, stepUuid, completion);
  }

  /**
   * A consumer of the durable domain events of a namespace: subscribe, then start it. The engine stops it when it stops.
   */
  consumeDomainEvents(namespace: string): DomainEventConsumer {
    const consumer = new DomainEventConsumer({
      provider: this.messaging,
      namespace,
      settings: consumerSettings(this.#options.config),
      logger: this.#options.logger,
    });
    this.#consumers.push(consumer);
    return consumer;
  }

  /** Stops taking work, drains, and closes everything in reverse order. Safe to call twice. */
  async stop(): Promise<void> {
    await Promise.all(this.#consumers.splice(0).map((consumer) => consumer.stop()));
    await this.#intake?.stop();
    await this.#requests?.stop();
    this.#requests = undefined;
    this.#watcher.close();
    await this.#parts.stop();
    const { shutdown_drain_timeout_ms } = this.#options.config.worker.mpsc_channels.domain_events;
    await Promise.all([
      this.events.close(shutdown_drain_timeout_ms),
      this.domainEvents.close(shutdown_drain_timeout_ms),
    ]);
    this.#detachEvents();
    await this.messaging.close();
    await this.pool.close();
  }

  #actingHost(): ActingHost {
    const { worker } = this;
    return {
      workerId: worker.workerId,
      stopSteps: (stepIds, reason) => worker.stopSteps(stepIds, reason),
      onTaskRested: (taskId, state) => this.#rested(taskId, state),
      onTaskClosed: (taskId, state) => {
        this.#watcher.rested(taskId, state);
        this.events.taskClosed(taskId, state);
      },
      beforeStepAction: (...about) => this.events.aboutToActOn(...about),
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
      settings: {
        ...workerSettings(this.#options.config),
        ...deployment(this.#options.config, "orchestration"),
      },
      circuit: this.circuits.database,
      logger: this.#options.logger,
      onTaskRested: ({ taskId, state }) => this.#rested(taskId, state),
    });
  }

  #rested(taskId: bigint, state: string): void {
    this.#metrics.taskRested(taskId, state);
    this.#watcher.rested(taskId, state);
    this.events.taskRested(taskId, state);
  }

  #maintenance(): MaintenanceLoop {
    return new MaintenanceLoop({
      pool: guardedPool(this.#bare, this.circuits.task_readiness),
      settings: maintenanceSettings(this.#options.config),
      onTaskRested: ({ taskId, state }) => this.#rested(taskId, state),
      logger: this.#options.logger,
    });
  }

  /** Tasks that other programs ask for through the queue of task requests. */
  #newIntake(): TaskRequestIntake {
    const { config, logger } = this.#options;
    return new TaskRequestIntake({
      ...intakeSettings(config),
      provider: this.messaging,
      read: readTaskRequest,
      create: (request) => this.createTask(request),
      logger,
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
      wake: () => (worker.pools.servesAny ? null : [...this.templates.namespaces().keys()]),
      accept: (outcome, done) => worker.pump.accept(outcome, done),
      onCreated: (creation, taskId) => {
        this.#metrics.taskCreated(taskId);
        this.events.taskCreated(() => createdTask(creation));
      },
    });
  }
}
