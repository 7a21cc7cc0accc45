import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type CollectedEvents,
  collectEvents,
  collectHandlers,
  collectTemplates,
  findHandlerFiles,
  findIndexFiles,
  type HandlerRegistry,
  isDirectory,
  type StepHandlerClass,
} from "@tasker-core/sdk/host";
import type { DefinedTemplate } from "@tasker-core/sdk/protocol";
import { ConfigError, messageOf } from "../errors/index.js";
import { type ImportHooks, installImportHooks, type PackageStandIns } from "./import-hooks.js";

export interface LoadedHandler {
  readonly name: string;
  readonly file: string;
}

export interface HandlerLoadReport {
  readonly handlers: readonly LoadedHandler[];
  /** Templates of the tasks that the files define in code and export. */
  readonly templates: readonly DefinedTemplate[];
  /** Subscribers and publishers that the files export or declare. */
  readonly events: CollectedEvents;
  /**
   * Why something was not loaded, one error per file or name: `HANDLER_PATH_NOT_FOUND`, `HANDLER_IMPORT_FAILED`,
   * `HANDLER_NAME_CONFLICT`. Everything else was registered all the same.
   */
  readonly problems: readonly ConfigError[];
}

interface Owner {
  readonly handler: StepHandlerClass;
  readonly file: string;
}

/**
 * Loads TypeScript and JavaScript handler files into a registry. TypeScript runs through `tsx`, which finds `x.ts`
 * behind an import of `x.js` and takes path aliases from the working directory's `tsconfig.json`. A loader loads a
 * file once; another loader loads it anew, as it is then. What was loaded before stays in memory.
 */
export class HandlerLoader {
  readonly #registry: HandlerRegistry;
  readonly #standIns: PackageStandIns;
  readonly #owners = new Map<string, Owner>();
  /** Files tried so far, so that a file is imported and reported once. */
  readonly #tried = new Map<string, Promise<number>>();
  readonly #handlers: LoadedHandler[] = [];
  readonly #collected = new Set<unknown>();
  readonly #events: CollectedEvents[] = [];
  readonly #templates: DefinedTemplate[] = [];
  readonly #problems: ConfigError[] = [];
  #hooks: ImportHooks | null = null;

  constructor(registry: HandlerRegistry, options: { readonly standIns?: PackageStandIns } = {}) {
    this.#registry = registry;
    this.#standIns = options.standIns ?? {};
  }

  /**
   * Loads files and directories. A directory's `examples/index`, `index` and `dsl_examples/index` are its own
   * selection; when these register nothing, every handler file below it is imported.
   */
  async load(paths: readonly string[]): Promise<HandlerLoadReport> {
    for (const path of paths) await this.#loadPath(resolve(path));
    return {
      handlers: [...this.#handlers],
      templates: [...this.#templates],
      events: {
        lifecycle: this.#events.flatMap(({ lifecycle }) => lifecycle),
        subscribers: this.#events.flatMap(({ subscribers }) => subscribers),
        publishers: this.#events.flatMap(({ publishers }) => publishers),
      },
      problems: [...this.#problems],
    };
  }

  /** Ends the import hooks. Handlers that import lazily need them: close when no handler runs any more. */
  async close(): Promise<void> {
    await this.#hooks?.close();
    this.#hooks = null;
  }

  async #loadPath(path: string): Promise<void> {
    const isFolder = await isDirectory(path);
    if (isFolder === null) {
      this.#problems.push(
        new ConfigError("HANDLER_PATH_NOT_FOUND", `Handler path not found: ${path}`, {
          context: { file: path },
        }),
      );
    } else if (isFolder) await this.#loadDirectory(path);
    else await this.#loadFile(path);
  }

  async #loadDirectory(directory: string): Promise<void> {
    let registered = 0;
    for (const file of await findIndexFiles(directory)) registered += await this.#loadFile(file);
    if (registered > 0) return;
    for (const file of await findHandlerFiles(directory)) await this.#loadFile(file);
  }

  #loadFile(file: string): Promise<number> {
    const known = this.#tried.get(file);
    if (known !== undefined) return known;
    const loading = this.#importFile(file);
    this.#tried.set(file, loading);
    return loading;
  }

  /** How many handlers the file has given; 0 when it could not be imported. */
  async #importFile(file: string): Promise<number> {
    let exports: Record<string, unknown>;
    try {
      this.#hooks ??= installImportHooks(this.#standIns);
      exports = namesOf(await this.#hooks.import(pathToFileURL(file).href));
      this.#events.push(collectEvents(exports, this.#collected));
      this.#templates.push(...collectTemplates(exports));
    } catch (cause) {
      this.#problems.push(
        new ConfigError(
          "HANDLER_IMPORT_FAILED",
          `Handler file ${file} cannot be imported: ${messageOf(cause)}`,
          { context: { file }, cause },
        ),
      );
      return 0;
    }
    const handlers = collectHandlers(exports);
    for (const handler of handlers) this.#register(handler, file);
    return handlers.length;
  }

  #register(handler: StepHandlerClass, file: string): void {
    const name = handler.handlerName;
    const owner = this.#owners.get(name);
    if (owner?.handler === handler) return;
    if (owner !== undefined || this.#registry.isRegistered(name)) {
      const first = owner === undefined ? "in code" : `in ${owner.file}`;
      this.#problems.push(
        new ConfigError(
          "HANDLER_NAME_CONFLICT",
          `Two handlers are named \`${name}\`: one ${first}, another in ${file}; the first is kept, rename one of them`,
          { context: { file, handler: name, first: owner?.file ?? null } },
        ),
      );
      return;
    }
    this.#owners.set(name, { handler, file });
    this.#registry.register(name, handler);
    this.#handlers.push({ name, file });
  }
}

/** A module's exports; those of a CommonJS file are found under `default`. */
function namesOf(module: Record<string, unknown>): Record<string, unknown> {
  const inner = module["default"];
  const isCommonJs = typeof inner === "object" && inner !== null && "__esModule" in inner;
  return isCommonJs ? { ...module, ...inner } : module;
}
