import { type CollectedEvents, HandlerRegistry, ResolverChain } from "@tasker-core/sdk/host";
import type { DefinedTemplate } from "@tasker-core/sdk/protocol";
import { Engine, type EngineRole } from "../bootstrap.js";
import type { LoadedConfig } from "../config/index.js";
import type { ConfigError } from "../errors/index.js";
import type { TaskTemplate } from "../model/index.js";
import type { Logger } from "../observability/index.js";
import type { ResolvedDatabase } from "../postgres/index.js";
import type { WebServer } from "../web/index.js";
import { bridgeLanguages, type HandlerPaths, handlerPaths } from "../worker/bridge-languages.js";
import { HandlerLoader } from "../worker/handler-loader.js";
import { joinOptions } from "../worker/join-options.js";
import type { BridgeLanguage } from "../worker/language-pools.js";
import { nativeLibraries } from "../worker/native-libraries.js";
import type { CommandContext } from "./command-context.js";
import { checkDurability, openDatabase } from "./open-database.js";
import { startApis } from "./start-apis.js";
import { packageVersion } from "./version.js";

export interface StartEngineOptions {
  readonly loaded: LoadedConfig;
  readonly logger: Logger;
  readonly templates: readonly TaskTemplate[];
  /** What the command line says; null to run no steps in this process. */
  readonly handlers: HandlerPaths | null;
  /** Default `all`. */
  readonly role?: EngineRole;
  /** Serve the HTTP API too. */
  readonly isServing?: boolean;
  /** Gives up on a database that is being started. */
  readonly signal: AbortSignal;
}

/** A running engine with everything it stands on. */
export interface RunningEngine {
  readonly engine: Engine;
  readonly database: ResolvedDatabase;
  /** Names of the handlers that run in this process. */
  readonly typescriptHandlers: readonly string[];
  readonly bridges: readonly BridgeLanguage[];
  /** Handler files and names that were left out, and why. */
  readonly handlerProblems: readonly ConfigError[];
  /** Where the HTTP APIs serve. */
  readonly apis: readonly string[];
  /** Where the handlers are. */
  readonly handlerPaths: HandlerPaths;
  /**
   * Puts the handlers of a language in force as their files are now.
   * @returns what was left out of them
   * @throws ConfigError, PeerError when they cannot be used; those there were go on
   */
  reload(language: keyof HandlerPaths): Promise<readonly string[]>;
  /** Drains, then stops everything in reverse order. */
  stop(): Promise<void>;
}

interface Handlers {
  readonly paths: HandlerPaths;
  readonly registry: HandlerRegistry | null;
  readonly loader: HandlerLoader | null;
  readonly names: readonly string[];
  readonly events: Partial<CollectedEvents>;
  readonly templates: readonly DefinedTemplate[];
  readonly bridges: readonly BridgeLanguage[];
  readonly problems: readonly ConfigError[];
}

/**
 * Database, schema, handlers and engine, as `tasker dev` and `tasker run` need them. The database starts while handlers
 * load.
 * @throws what keeps it from starting; nothing is left running then
 */
export async function startEngine(
  context: CommandContext,
  options: StartEngineOptions,
): Promise<RunningEngine> {
  const { loaded, logger, signal, role = "all" } = options;
  const [opened, prepared] = await Promise.allSettled([
    openDatabase(context, loaded, { create: true, signal }),
    prepareHandlers(context, options),
  ]);
  if (opened.status === "rejected" || prepared.status === "rejected") {
    if (opened.status === "fulfilled") await opened.value.close();
    if (prepared.status === "fulfilled") await prepared.value.loader?.close();
    throw opened.status === "rejected" ? opened.reason : (prepared as PromiseRejectedResult).reason;
  }
  const database = opened.value;
  const join = await joinOptions(loaded.config, context.workingDirectory);
  const handlers = prepared.value;
  const engine = new Engine({
    databaseUrl: database.url,
    config: loaded.config,
    logger,
    templates: options.templates,
    ...(handlers.registry === null ? {} : { handlers: handlers.registry }),
    events: handlers.events,
    codeTemplates: handlers.templates,
    bridges: handlers.bridges,
    join: options.handlers === null ? null : join,
    // A database of one's own is brought up to date; a shared one only by `tasker db migrate`, unless one runs alone.
    migrate: role === "all" || database.from !== "url",
    role,
  });
  /** Those before the last still serve handlers that import when they run. */
  const loaders = [handlers.loader];
  const reloadTypeScript = async (): Promise<readonly string[]> => {
    const fresh = await loadTypeScript(handlers.paths.typescript);
    const [broken] = fresh.problems.filter(({ code }) => code === "HANDLER_IMPORT_FAILED");
    if (broken !== undefined) {
      await fresh.loader?.close();
      throw broken;
    }
    loaders.push(fresh.loader);
    await engine.defineTemplates(fresh.templates);
    await engine.worker.reload("typescript", fresh.registry);
    return fresh.problems.map(({ message }) => message);
  };
  const closeRest = async (): Promise<void> => {
    for (const loader of loaders) await loader?.close();
    await database.close();
  };
  const servers: WebServer[] = [];
  try {
    await checkDurability(context, loaded, engine.pool);
    await engine.start();
    if (options.isServing === true) {
      const serving = { engine, config: loaded.config, version: packageVersion(), logger };
      await startApis({ ...serving, workingDirectory: context.workingDirectory }, role, servers);
    }
  } catch (error) {
    await Promise.allSettled(servers.map((server) => server.stop()));
    await engine.stop().catch(() => undefined); // the first error is the one to report
    await closeRest();
    throw error;
  }
  return {
    engine,
    database,
    typescriptHandlers: handlers.names,
    bridges: handlers.bridges,
    handlerProblems: handlers.problems,
    apis: servers.map(({ url }) => url),
    handlerPaths: handlers.paths,
    reload: async (language) => {
      if (language === "typescript") return await reloadTypeScript();
      await engine.worker.reload(language, null);
      return [];
    },
    stop: async () => {
      await Promise.allSettled(servers.map((server) => server.stop()));
      try {
        await engine.stop();
      } finally {
        await closeRest();
      }
    },
  };
}

async function prepareHandlers(
  { workingDirectory }: CommandContext,
  { loaded, handlers, signal }: StartEngineOptions,
): Promise<Handlers> {
  if (handlers === null) {
    return { ...NO_TYPESCRIPT, paths: NO_PATHS, bridges: [] };
  }
  const { config, env } = loaded;
  const paths = handlerPaths({ config, env, workingDirectory, given: handlers });
  const [typescript, bridges, native] = await Promise.all([
    loadTypeScript(paths.typescript),
    bridgeLanguages({ config, paths, env, workingDirectory, signal }),
    nativeLibraries(config),
  ]);
  return { ...typescript, paths, bridges: [...bridges, ...native] };
}

type LoadedTypeScript = Omit<Handlers, "bridges" | "paths">;

const NO_PATHS: HandlerPaths = { typescript: [], python: [], ruby: [] };
const NO_TYPESCRIPT: LoadedTypeScript = {
  registry: null,
  loader: null,
  names: [],
  events: {},
  templates: [],
  problems: [],
};

async function loadTypeScript(paths: readonly string[]): Promise<LoadedTypeScript> {
  if (paths.length === 0) return NO_TYPESCRIPT;
  const sdk = import.meta.resolve("@tasker-core/sdk");
  const registry = new HandlerRegistry(ResolverChain.standard());
  const loader = new HandlerLoader(registry, {
    // For projects that have installed neither, and for handlers written for the older name.
    standIns: { "@tasker-core/sdk": sdk, "@tasker-systems/tasker": sdk },
  });
  const { handlers, events, templates, problems } = await loader.load(paths);
  const names = handlers.map(({ name }) => name);
  return { registry, loader, names, events, templates, problems };
}
