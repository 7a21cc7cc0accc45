import { resolve as resolvePath } from "node:path";
import { pathToFileURL } from "node:url";
import { type ExecutableHandler, isStepHandlerClass, type StepHandlerClass } from "../handler.js";
import type { HandlerDefinition } from "./definition.js";
import { ResolutionError } from "./errors.js";

export interface ResolverConfig {
  readonly [key: string]: unknown;
}

export type Resolution = ExecutableHandler | null | Promise<ExecutableHandler | null>;

/** Finds a handler for a definition. The chain asks in order of `priority`, lowest first. */
export interface BaseResolver {
  readonly name: string;
  readonly priority: number;
  canResolve(definition: HandlerDefinition, config?: ResolverConfig): boolean;
  /** Null passes the question on. */
  resolve(definition: HandlerDefinition, config?: ResolverConfig): Resolution;
}

export type HandlerFactory = (config: Record<string, unknown>) => ExecutableHandler;
/** A handler class (a new instance per execution), a factory, or one instance for all executions. */
export type HandlerEntry = StepHandlerClass | HandlerFactory | ExecutableHandler;

/** Handlers registered by name. */
export class ExplicitMappingResolver implements BaseResolver {
  readonly name: string;
  readonly priority = 10;
  readonly #entries = new Map<string, HandlerEntry>();

  constructor(name = "explicit_mapping") {
    this.name = name;
  }

  register(key: string, entry: HandlerEntry): void {
    this.#entries.set(key, entry);
  }

  unregister(key: string): boolean {
    return this.#entries.delete(key);
  }

  get(key: string): HandlerEntry | undefined {
    return this.#entries.get(key);
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  clear(): void {
    this.#entries.clear();
  }

  canResolve(definition: HandlerDefinition): boolean {
    return this.#entries.has(definition.callable);
  }

  resolve(definition: HandlerDefinition): ExecutableHandler | null {
    const entry = this.#entries.get(definition.callable);
    if (entry === undefined) return null;
    if (typeof entry !== "function") return entry;
    return isClass(entry) ? new entry() : entry(definition.initialization ?? {});
  }
}

/** Handlers named by their module: `./x.js` and `../x.js` from the working directory, or `@scope/package`. */
export class ClassLookupResolver implements BaseResolver {
  readonly name = "class_lookup";
  readonly priority = 100;

  canResolve(definition: HandlerDefinition): boolean {
    return /^(\.\.?\/|@[^/]+\/)/.test(definition.callable);
  }

  /** @throws ResolutionError when the module cannot be imported or exports no handler. */
  async resolve(definition: HandlerDefinition): Promise<ExecutableHandler> {
    const { callable } = definition;
    let module: Record<string, unknown>;
    try {
      module = (await import(specifierOf(callable))) as Record<string, unknown>;
    } catch (cause) {
      throw new ResolutionError(`Handler module "${callable}" cannot be imported`, { cause });
    }
    const found = [module["default"], ...Object.values(module)].find(isStepHandlerClass);
    if (found !== undefined) return new found();
    throw new ResolutionError(
      `Handler module "${callable}" exports no class with a static handlerName; it exports: ${
        Object.keys(module).join(", ") || "nothing"
      }`,
    );
  }
}

/** The statics of a {@link RegistryResolver} subclass. */
export interface RegistryResolverStatic {
  readonly _name: string;
  readonly _priority: number;
  readonly pattern?: RegExp;
  readonly prefix?: string;
}

/** Base of resolvers that claim callables by prefix or pattern. */
export abstract class RegistryResolver implements BaseResolver {
  static readonly _name: string = "registry_resolver";
  static readonly _priority: number = 50;
  static readonly pattern?: RegExp;
  static readonly prefix?: string;

  get name(): string {
    return this.#type._name;
  }

  get priority(): number {
    return this.#type._priority;
  }

  canResolve(definition: HandlerDefinition): boolean {
    return this.#match(definition.callable) !== null;
  }

  resolve(definition: HandlerDefinition, config?: ResolverConfig): Resolution {
    const match = this.#match(definition.callable);
    return match === null ? null : this.resolveHandler(definition, match.groups, config);
  }

  /** @param match the pattern's match; null when the prefix claimed the callable. */
  abstract resolveHandler(
    definition: HandlerDefinition,
    match: RegExpMatchArray | null,
    config?: ResolverConfig,
  ): Resolution;

  #match(callable: string): { readonly groups: RegExpMatchArray | null } | null {
    const { pattern, prefix } = this.#type;
    const groups = pattern === undefined ? null : callable.match(pattern);
    if (groups !== null) return { groups };
    return prefix !== undefined && callable.startsWith(prefix) ? { groups: null } : null;
  }

  get #type(): RegistryResolverStatic {
    return this.constructor as unknown as RegistryResolverStatic;
  }
}

function specifierOf(callable: string): string {
  return callable.startsWith(".") ? pathToFileURL(resolvePath(callable)).href : callable;
}

function isClass(entry: StepHandlerClass | HandlerFactory): entry is StepHandlerClass {
  return typeof (entry.prototype as { call?: unknown } | undefined)?.call === "function";
}
