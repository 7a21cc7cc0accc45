import { hostname } from "node:os";
import type { HandlerRegistry } from "@tasker-core/sdk/host";
import type { EventDesk } from "../bridge/index.js";
import { CompletionChannel } from "../channels/index.js";
import { reconcileWorker, registerWorker, renewLeases, stopWorker } from "../db/functions/index.js";
import { type Pool, PumpLink } from "../db/index.js";
import { WakeListener } from "../event-systems/wake-listener.js";
import type { WakeMessage } from "../event-systems/wake-message.js";
import type { CircuitBreaker } from "../lib/circuit-breaker.js";
import { systemClock } from "../lib/clock.js";
import { newUuid } from "../lib/uuid.js";
import type { LifecycleBus } from "../lifecycle/events/index.js";
import type { PlanLimits } from "../lifecycle/plans/index.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import type { Logger } from "../observability/index.js";
import { CallableRoutes } from "./callable-routes.js";
import type { CodeTemplates } from "./code-templates.js";
import { DeliveryBuilder } from "./delivery-builder.js";
import { Dispatcher } from "./dispatcher.js";
import type { EventPublisher } from "./event-publisher.js";
import type { EventRelay } from "./event-relay.js";
import { JoinedHost, type JoinOptions } from "./joined-host.js";
import { type BridgeLanguage, createLanguagePools, type LanguagePool } from "./language-pools.js";
import { LeaseGuard } from "./lease-guard/index.js";
import { LeaseKeeper } from "./lease-keeper.js";
import { Ledger, type TakenAway } from "./ledger.js";
import { PoolSet } from "./pool-set.js";
import { ResultPlanner } from "./result-planner.js";
import { Lineages } from "./step-lineage.js";
import { type PumpMode, type PumpSettings, StepPump } from "./step-pump.js";
import { TaskCache } from "./task-cache.js";
import type { WorkerMeter } from "./worker-meter.js";

export interface WorkerSettings extends PumpSettings {
  readonly hasLeaseGuard: boolean;
  readonly handlerTimeoutMs: number;
  readonly completionTimeoutMs: number;
  readonly completionBufferSize: number;
  /** An answer that waits for longer to be put into the completion channel counts against its circuit. */
  readonly slowSendMs: number;
  /** Between two attempts to reconnect while the circuit to the database is open. */
  readonly openRetryMs: number;
  /** Work in hand beyond what is running, as time; and as deliveries per running handler at most. */
  readonly prefetchMs: number;
  readonly maxPrefetchPerSlot: number;
  readonly cacheBytes: number;
  readonly drainTimeoutMs: number;
  /** How long subscribers in handler processes may take for what is left when the host stops. */
  readonly eventDrainMs: number;
  /** LISTEN for wake-ups; without it the queues are polled only. */
  readonly isListening: boolean;
  /** Which language runs a callable that several have, by callable. */
  readonly routes: Readonly<Record<string, string>>;
  readonly plans: PlanLimits;
  /** False under the compatibility profile: a result that does not match its schema is only warned about. */
  readonly enforceResultSchemas: boolean;
}

export interface WorkerHostOptions {
  readonly url: string;
  readonly pool: Pool;
  readonly registry: TemplateRegistry;
  readonly typescript: {
    readonly registry: HandlerRegistry;
    readonly maxConcurrent: number;
  } | null;
  readonly bridges: readonly BridgeLanguage[];
  /** Takes what handler processes define in code. */
  readonly codeTemplates: CodeTemplates;
  /** Where handler processes that were started elsewhere may join; null for nowhere. */
  readonly join: JoinOptions | null;
  readonly publisher: EventPublisher;
  readonly lifecycle: LifecycleBus;
  /** Carries events to the handler processes behind a desk. */
  readonly relay: (language: string, desk: EventDesk) => EventRelay;
  readonly settings: WorkerSettings;
  readonly circuits: Readonly<Record<"database" | "ffi_completion_send", CircuitBreaker>>;
  readonly meter: WorkerMeter;
  /** `split` needs an orchestrator on the same database. */
  readonly mode: PumpMode;
  readonly logger: Logger;
}

/**
 * Runs steps: the pools of every language, the channels between them and the database, the pump that moves work and
 * results, and the keeper of the leases.
 */
export class WorkerHost {
  readonly name = "worker-host";
  readonly workerUuid = newUuid();
  readonly workerName: string;
  readonly pools: PoolSet;
  readonly languages: readonly LanguagePool[];
  readonly cache: TaskCache;
  readonly ledger: Ledger;
  readonly link: PumpLink;
  readonly #leaseLink: PumpLink;
  readonly #options: WorkerHostOptions;
  readonly #completions: CompletionChannel;
  readonly #ending = new AbortController();
  #workerId = 0;
  #pump: StepPump | undefined;
  #keeper: LeaseKeeper | undefined;
  /** Only where handlers run in this process: others cannot stop its event loop. */
  readonly #guard: LeaseGuard | null;
  #listener: WakeListener | undefined;
  readonly #relays: readonly EventRelay[];
  readonly #joined: JoinedHost | null;
  readonly #routes: CallableRoutes;

  constructor(options: WorkerHostOptions) {
    this.#options = options;
    const { settings, logger } = options;
    this.workerName = `tasker-${hostname()}-${process.pid}`;
    this.#completions = new CompletionChannel({
      capacity: settings.completionBufferSize,
      circuit: options.circuits.ffi_completion_send,
      slowSendMs: settings.slowSendMs,
    });
    this.languages = createLanguagePools({
      typescript: options.typescript,
      bridges: options.bridges,
      completions: this.#completions,
      maxPrefetchPerSlot: settings.maxPrefetchPerSlot,
      completionTimeoutMs: settings.completionTimeoutMs,
      onProgress: (delivery, progress) => options.lifecycle.stepProgressed(delivery, progress),
      onTemplates: (language, templates) => options.codeTemplates.define(language, templates),
      logger,
      workerName: this.workerName,
    });
    this.#relays = this.languages.flatMap(({ language, supervisor }) =>
      supervisor === null ? [] : [options.relay(language, supervisor.events)],
    );
    this.pools = new PoolSet(this.languages, {
      ...settings,
      isHeld: () => !settings.takesWork || options.circuits.ffi_completion_send.isRefusing,
    });
    const isGuarded = options.typescript !== null && settings.hasLeaseGuard;
    this.#guard = isGuarded
      ? new LeaseGuard({
          url: options.url,
          leaseMs: settings.leaseMs,
          graceMs: settings.completionTimeoutMs,
          logger,
        })
      : null;
    this.ledger = new Ledger(this.#guard?.holdings ?? null);
    this.#routes = new CallableRoutes({
      pools: this.pools,
      routes: settings.routes,
      register: (callables) => this.#register(callables),
      logger,
    });
    this.#joined = options.join === null ? null : this.#joinedHost(options.join);
    this.cache = new TaskCache({
      db: options.pool,
      maxBytes: settings.cacheBytes,
      templateOf: (id) => options.registry.get(id),
    });
    this.link = this.#newLink("tasker-pump");
    this.#leaseLink = this.#newLink("tasker-leases");
  }

  /** Where events go that handler processes subscribe to. */
  get eventDesks(): readonly EventDesk[] {
    const own = this.languages.flatMap(({ supervisor }) =>
      supervisor === null ? [] : [supervisor.events],
    );
    return [...own, ...(this.#joined?.desks ?? [])];
  }

  get workerId(): number {
    return this.#workerId;
  }

  /** How full the channel is that answers wait in. */
  get completionChannel(): Pick<CompletionChannel, "capacity" | "highWater"> & { size: number } {
    const { capacity, highWater, size, waitingCount } = this.#completions;
    return { capacity, highWater, size: size + waitingCount };
  }

  /** Whether it hears of work, beside looking for it. */
  get isListening(): boolean {
    return this.#listener !== undefined;
  }

  get isRunning(): boolean {
    return this.#pump !== undefined;
  }

  get pump(): StepPump {
    if (this.#pump === undefined) throw new Error("the worker host has not been started");
    return this.#pump;
  }

  /** Callables of registered templates that no pool of this host runs. */
  unservedCallables(): string[] {
    const wanted = this.#options.registry
      .registered()
      .flatMap((template) => template.steps.map((step) => step.callable));
    return [...new Set(wanted)].filter((callable) => this.pools.poolOf(callable) === undefined);
  }

  /**
   * Starts the handler processes, registers what they run, and begins to take work.
   * @throws ConfigError CALLABLE_AMBIGUOUS when two languages run one callable and no route decides
   */
  async start(): Promise<void> {
    const { registry, settings, logger, url } = this.#options;
    const { signal } = this.#ending;
    await Promise.all(this.languages.map((language) => language.start(signal)));
    await this.#routes.set(this.languages, []);
    const lineages = new Lineages(this.#options.pool, registry);
    const builder = new DeliveryBuilder(registry, this.cache, lineages, {
      handlerTimeoutMs: settings.handlerTimeoutMs,
      leaseMs: settings.leaseMs,
      poolOf: (callable) => this.pools.poolOf(callable)?.channel.pool ?? "none",
    });
    const dispatcher = new Dispatcher({
      builder,
      pools: this.pools,
      ledger: this.ledger,
      completions: this.#completions,
      lifecycle: this.#options.lifecycle,
      logger,
      signal: this.#ending.signal,
      maxDeaths: settings.maxDeaths,
    });
    this.#pump = new StepPump({
      link: this.link,
      completions: this.#completions,
      pools: this.pools,
      ledger: this.ledger,
      dispatcher,
      registry,
      cache: this.cache,
      planner: new ResultPlanner({
        registry,
        limits: settings.plans,
        enforceSchemas: settings.enforceResultSchemas,
        logger,
      }),
      publisher: this.#options.publisher,
      lifecycle: this.#options.lifecycle,
      mode: this.#options.mode,
      meter: this.#options.meter,
      workerId: this.#workerId,
      settings,
      logger,
    });
    this.#keeper = new LeaseKeeper({
      link: this.#leaseLink,
      ledger: this.ledger,
      workerId: this.#workerId,
      leaseMs: settings.leaseMs,
      logger,
      holdings: this.#guard?.holdings ?? null,
    });
    await this.#pump.start();
    await this.#keeper.start();
    await this.#guard?.start(this.#workerId);
    if (settings.isListening) {
      this.#listener = new WakeListener({
        url,
        workerId: this.#workerId,
        logger,
        onMessage: (message) => this.#onMessage(message),
        onListening: () => this.#pump?.requestScan(),
      });
      await this.#listener.start();
    }
    await this.#joined?.open();
  }

  /** Where handler processes can join, as they name it in `TASKER_BRIDGE`. */
  get joinAddresses(): readonly string[] {
    return this.#joined?.addresses ?? [];
  }

  /** Takes nothing more, lets handlers finish for the drain time, stores every answer, gives the rest back. */
  async stop(): Promise<void> {
    const { drainTimeoutMs, eventDrainMs } = this.#options.settings;
    this.#pump?.drain();
    const deadline = AbortSignal.timeout(drainTimeoutMs);
    await Promise.all([
      ...this.languages.map(({ channel }) => channel.drain(deadline)),
      this.#joined?.drain(deadline),
    ]);
    await Promise.all([
      ...this.#relays.map((relay) => relay.finish(eventDrainMs)),
      this.#joined?.finishEvents(eventDrainMs),
    ]);
    await Promise.all([
      ...this.languages.map((language) => language.stop(drainTimeoutMs)),
      this.#joined?.close(drainTimeoutMs),
    ]);
    await this.#pump?.stop();
    await this.#keeper?.stop();
    await this.#guard?.stop();
    await this.#listener?.stop();
    this.#completions.close();
    if (this.#workerId !== 0) {
      await this.link
        .call((db) => stopWorker(db, this.#workerId))
        .catch((error: unknown) => {
          this.#options.logger.debug({ err: error }, "the worker was not signed off");
        });
    }
    this.#ending.abort(new Error("the worker has stopped"));
    await Promise.all([this.link.close(), this.#leaseLink.close()]);
  }

  /**
   * Changed handlers of a language: new steps run them, running ones finish on the old ones.
   * @param registry of TypeScript, which runs in this process; other languages start new processes
   * @throws PeerError, ConfigError when the new ones cannot be used; the old ones go on
   */
  async reload(language: string, registry: HandlerRegistry | null): Promise<void> {
    const pool = this.languages.find((one) => one.language === language);
    await pool?.reload(registry);
    await this.#routes.set(this.languages, this.#joined?.pools ?? []);
    this.#pump?.requestScan();
  }

  /** Steps were taken away by an operator; those that this host does not run are passed over. */
  stopSteps(stepIds: readonly bigint[], reason: TakenAway): void {
    for (const stepId of stepIds) this.ledger.takeAway(stepId, reason);
  }

  #onMessage(message: WakeMessage): void {
    if (message.kind === "wake") this.#pump?.requestScan();
    else this.stopSteps(message.stepIds, message.kind);
  }

  #newLink(applicationName: string): PumpLink {
    const { url, logger, settings, circuits } = this.#options;
    return new PumpLink({
      url,
      applicationName,
      circuit: circuits.database,
      openRetryMs: settings.openRetryMs,
      logger,
      signal: this.#ending.signal,
      onReconnect: async (db) => {
        // First keep what is held, then give back what the lost reply may have brought.
        const held = this.ledger.held();
        await renewLeases(db, this.#workerId, held, settings.leaseMs);
        const released = await reconcileWorker(db, this.#workerId, held);
        logger.info({ held: held.length, released }, "database connection is back");
        this.#pump?.requestScan();
      },
    });
  }

  async #register(callables: readonly string[]): Promise<readonly number[]> {
    const identity = {
      workerUuid: this.workerUuid,
      name: this.workerName,
      hostname: hostname(),
      pid: process.pid,
    };
    const registered = await registerWorker(this.#options.pool, identity, callables);
    this.#workerId = registered.workerId;
    return registered.callableIds;
  }

  #joinedHost(join: JoinOptions): JoinedHost {
    const { settings, logger, relay, codeTemplates, lifecycle } = this.#options;
    return new JoinedHost({
      join,
      routes: this.#routes,
      own: this.languages,
      codeTemplates,
      pools: this.pools,
      relay,
      maxPrefetchPerSlot: settings.maxPrefetchPerSlot,
      channel: {
        completions: this.#completions,
        clock: systemClock,
        completionTimeoutMs: settings.completionTimeoutMs,
        onProgress: (delivery, progress) => lifecycle.stepProgressed(delivery, progress),
      },
      hostId: this.workerName,
      clock: systemClock,
      leaseMs: settings.leaseMs,
      onRoutesChanged: () => this.#pump?.requestScan(),
      logger: logger.child({ lane: "joined" }),
    });
  }
}
