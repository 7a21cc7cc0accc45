import type { HandlerRegistry, LogSink } from "@tasker-core/sdk/host";
import type { DefinedTemplate, HandlerManifest } from "@tasker-core/sdk/protocol";
import { BridgeSupervisor, type PeerCarrier } from "../bridge/index.js";
import {
  type CompletionSink,
  FfiDispatchChannel,
  type FfiDispatchChannelOptions,
} from "../channels/index.js";
import { systemClock } from "../lib/clock.js";
import type { Logger } from "../observability/index.js";
import type { ServingPool } from "./callable-routes.js";
import { HandlerDispatchService } from "./handler-dispatch-service.js";

/** Handler processes of one language, or a native library. */
export interface BridgeLanguage {
  readonly language: string;
  /** Name of the pool where one language has several; default the language. */
  readonly pool?: string;
  /** Opens what takes the place of a process. */
  readonly open?: () => PeerCarrier;
  /** How many launches may fail at the start; default 3. */
  readonly startAttempts?: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly processes: number;
  /** Handlers that one process runs at the same time. */
  readonly slots: number;
}

export interface LanguagePoolsOptions {
  readonly typescript: {
    readonly registry: HandlerRegistry;
    readonly maxConcurrent: number;
  } | null;
  readonly bridges: readonly BridgeLanguage[];
  readonly completions: CompletionSink;
  /** Waiting deliveries per running handler at most: bounds the channels. */
  readonly maxPrefetchPerSlot: number;
  readonly completionTimeoutMs: number;
  readonly onProgress: NonNullable<FfiDispatchChannelOptions["onProgress"]>;
  /** Registers the task templates that handler processes define in code. */
  readonly onTemplates: (language: string, templates: readonly DefinedTemplate[]) => Promise<void>;
  readonly logger: Logger;
  readonly workerName: string;
}

/** A pool with whoever consumes its channel. */
export interface LanguagePool extends ServingPool {
  readonly supervisor: BridgeSupervisor | null;
  /** Resolves when it knows the callables that it runs. */
  start(signal: AbortSignal): Promise<void>;
  /**
   * Runs changed handlers from now on; steps that run finish as they were begun.
   * @param registry what a pool in this process runs; other languages start new processes
   * @throws PeerError `PEER_HANDSHAKE_FAILED`: the processes there are go on
   */
  reload(registry: HandlerRegistry | null): Promise<void>;
  stop(graceMs: number): Promise<void>;
}

/** One pool per language: TypeScript in this process, the others in handler processes over the bridge. */
export function createLanguagePools(options: LanguagePoolsOptions): LanguagePool[] {
  const pools = options.bridges.map((bridge) => bridgePool(bridge, options));
  const { typescript } = options;
  return typescript === null ? pools : [typescriptPool(typescript, options), ...pools];
}

function channelOf(pool: string, concurrency: number, options: LanguagePoolsOptions) {
  return new FfiDispatchChannel({
    pool,
    capacity: concurrency * (1 + options.maxPrefetchPerSlot),
    completions: options.completions,
    clock: systemClock,
    completionTimeoutMs: options.completionTimeoutMs,
    onProgress: options.onProgress,
  });
}

function typescriptPool(
  typescript: NonNullable<LanguagePoolsOptions["typescript"]>,
  options: LanguagePoolsOptions,
): LanguagePool {
  const { maxConcurrent } = typescript;
  let { registry } = typescript;
  const channel = channelOf("typescript", maxConcurrent, options);
  const service = new HandlerDispatchService({
    source: channel,
    registry,
    workerName: `${options.workerName}/typescript`,
    maxConcurrent,
    log: sinkOf(options.logger),
  });
  return {
    language: "typescript",
    channel,
    concurrency: maxConcurrent,
    supervisor: null,
    get callables() {
      return registry.listHandlers();
    },
    start: async () => service.start(),
    reload: async (fresh) => {
      if (fresh === null) return;
      registry = fresh;
      service.useRegistry(fresh);
    },
    stop: (graceMs) => service.stop({ graceMs }),
  };
}

function bridgePool(bridge: BridgeLanguage, options: LanguagePoolsOptions): LanguagePool {
  const concurrency = bridge.processes * bridge.slots;
  const pool = bridge.pool ?? bridge.language;
  const channel = channelOf(pool, concurrency, options);
  const supervisor = new BridgeSupervisor({
    language: bridge.language,
    command: bridge.command,
    args: bridge.args,
    ...(bridge.cwd === undefined ? {} : { cwd: bridge.cwd }),
    ...(bridge.env === undefined ? {} : { env: bridge.env }),
    ...(bridge.open === undefined ? {} : { open: bridge.open }),
    ...(bridge.startAttempts === undefined ? {} : { startAttempts: bridge.startAttempts }),
    processes: bridge.processes,
    pool,
    channel,
    onTemplates: (templates) => options.onTemplates(bridge.language, templates),
    logger: options.logger.child({ language: bridge.language, pool }),
    clock: systemClock,
    hostId: options.workerName,
  });
  let callables: readonly string[] = [];
  const serve = (manifests: readonly HandlerManifest[]): void => {
    callables = manifests.flatMap((one) => ("callable" in one ? [one.callable] : []));
  };
  return {
    language: bridge.language,
    channel,
    concurrency,
    supervisor,
    get callables() {
      return callables;
    },
    start: async (signal) => serve(await supervisor.start(signal)),
    reload: async () => serve(await supervisor.reload("its handlers have changed")),
    stop: (graceMs) => supervisor.stop({ graceMs }),
  };
}

function sinkOf(logger: Logger): LogSink {
  return (level, message, fields) => logger[level](fields, message);
}
