import { delimiter, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BasePublisher, BaseSubscriber } from "../domain-events/index.js";
import type { LifecycleSubscription } from "../events/event-subscriber.js";
import type { HandlerOffer } from "../ffi/module.js";
import type { ExecutableHandler, StepHandlerClass } from "../handler.js";
import { collectEvents } from "../host/collect-events.js";
import { collectHandlers } from "../host/collect-handlers.js";
import { collectTemplates } from "../host/collect-tasks.js";
import type { HandlerSpec } from "../registry/definition.js";
import type { ResolverChain } from "../registry/resolver-chain.js";
import type { BaseResolver, HandlerFactory } from "../registry/resolvers.js";
import { HandlerRegistry } from "../registry.js";
import { messageOf } from "../thrown.js";
import { findHandlerFiles, findIndexFiles, isDirectory } from "./handler-files.js";
import { importer } from "./import-file.js";

/** Handlers of one worker: a registry, and the files that fill it. */
export class HandlerSystem {
  readonly #registry: HandlerRegistry;
  readonly #collected = new Set<unknown>();
  readonly #classes = new Set<StepHandlerClass>();
  readonly #kinds = new Map<string, HandlerOffer>();
  readonly #lifecycle: LifecycleSubscription[] = [];
  readonly #subscribers: BaseSubscriber[] = [];
  readonly #publishers: BasePublisher[] = [];
  readonly #templates: Readonly<Record<string, unknown>>[] = [];
  readonly #problems: string[] = [];
  #isInitialized = false;

  constructor(registry: HandlerRegistry = new HandlerRegistry()) {
    this.#registry = registry;
  }

  async initialize(): Promise<void> {
    await this.#registry.initialize();
    this.#isInitialized = true;
  }

  get initialized(): boolean {
    return this.#isInitialized;
  }

  /**
   * Loads a file, or a directory: its `examples/index`, `index` and `dsl_examples/index`, and when these register nothing,
   * every handler file below it. A file that cannot be imported is reported in {@link problems} and passed over.
   * @returns how many handlers were registered
   */
  async loadFromPath(path: string): Promise<number> {
    const absolute = resolve(path);
    const isFolder = await isDirectory(absolute);
    if (isFolder === null) {
      this.#problems.push(`Handler path not found: ${absolute}`);
      return 0;
    }
    if (!isFolder) return await this.#loadFiles([absolute]);
    const registered = await this.#loadFiles(await findIndexFiles(absolute));
    return registered > 0 ? registered : await this.#loadFiles(await findHandlerFiles(absolute));
  }

  /** Loads what `TYPESCRIPT_HANDLER_PATH` names, one path or several. */
  async loadFromEnv(): Promise<number> {
    const paths = (process.env["TYPESCRIPT_HANDLER_PATH"] ?? "").split(delimiter);
    let registered = 0;
    for (const path of paths) if (path !== "") registered += await this.loadFromPath(path);
    return registered;
  }

  /** Why something was not loaded. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  get lifecycle(): readonly LifecycleSubscription[] {
    return this.#lifecycle;
  }

  get subscribers(): readonly BaseSubscriber[] {
    return this.#subscribers;
  }

  get publishers(): readonly BasePublisher[] {
    return this.#publishers;
  }

  /** What a host is told about the handlers. */
  get offers(): HandlerOffer[] {
    return this.listHandlers().map(
      (callable) => this.#kinds.get(callable) ?? { callable, kind: "step", version: "1.0.0" },
    );
  }

  /** Templates of the tasks that handler files define in code and export. */
  get templates(): readonly Readonly<Record<string, unknown>>[] {
    return this.#templates;
  }

  register(name: string, handler: StepHandlerClass | HandlerFactory): void {
    this.#registry.register(name, handler);
    if ("handlerVersion" in handler) {
      this.#kinds.set(name, {
        callable: name,
        kind: kindOf(handler),
        version: String(handler.handlerVersion),
      });
    }
  }

  unregister(name: string): boolean {
    return this.#registry.unregister(name);
  }

  async resolve(spec: HandlerSpec): Promise<ExecutableHandler | null> {
    return await this.#registry.resolve(spec);
  }

  isRegistered(name: string): boolean {
    return this.#registry.isRegistered(name);
  }

  listHandlers(): string[] {
    return this.#registry.listHandlers();
  }

  handlerCount(): number {
    return this.#registry.handlerCount();
  }

  clear(): void {
    this.#registry.clear();
  }

  addResolver(resolver: BaseResolver): void {
    this.#registry.addResolver(resolver);
  }

  getResolver(name: string): BaseResolver | undefined {
    return this.#registry.getResolver(name);
  }

  listResolvers(): [name: string, priority: number][] {
    return this.#registry.listResolvers();
  }

  getResolverChain(): ResolverChain {
    return this.#registry.getResolverChain();
  }

  getRegistry(): HandlerRegistry {
    return this.#registry;
  }

  debugInfo(): Record<string, unknown> {
    return {
      initialized: this.#isInitialized,
      problems: [...this.#problems],
      ...this.#registry.debugInfo(),
    };
  }

  async #loadFiles(files: readonly string[]): Promise<number> {
    if (files.length === 0) return 0;
    const load = await importer();
    let registered = 0;
    for (const file of files) {
      try {
        registered += this.#take(namesOf(await load(pathToFileURL(file).href)), file);
      } catch (error) {
        this.#problems.push(`Handler file ${file} cannot be imported: ${messageOf(error)}`);
      }
    }
    return registered;
  }

  #take(exports: Record<string, unknown>, file: string): number {
    const events = collectEvents(exports, this.#collected);
    this.#lifecycle.push(...events.lifecycle);
    this.#subscribers.push(...events.subscribers);
    this.#publishers.push(...events.publishers);
    this.#templates.push(...collectTemplates(exports));
    let registered = 0;
    for (const handler of collectHandlers(exports)) {
      const name = handler.handlerName;
      if (this.#classes.has(handler)) continue;
      this.#classes.add(handler);
      if (this.isRegistered(name)) {
        this.#problems.push(`Two handlers are named \`${name}\`; the one in ${file} is left out`);
        continue;
      }
      this.register(name, handler);
      registered++;
    }
    return registered;
  }
}

function namesOf(module: Record<string, unknown>): Record<string, unknown> {
  const inner = module["default"];
  const isCommonJs = typeof inner === "object" && inner !== null && "__esModule" in inner;
  return isCommonJs ? { ...module, ...inner } : module;
}

/** From the capabilities of the class: a hint for people, the template decides. */
function kindOf(handler: StepHandlerClass | HandlerFactory): string {
  try {
    const made = new (handler as StepHandlerClass)() as { capabilities?: readonly string[] };
    const capabilities = made.capabilities ?? [];
    if (capabilities.includes("decision")) return "decision";
    return capabilities.includes("batch_worker") ? "batch_worker" : "step";
  } catch {
    return "step";
  }
}
