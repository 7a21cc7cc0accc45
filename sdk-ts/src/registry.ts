import type { ExecutableHandler, StepHandlerClass } from "./handler.js";
import { type HandlerSpec, normalizeToDefinition } from "./registry/definition.js";
import { ResolverChain } from "./registry/resolver-chain.js";
import {
  type BaseResolver,
  ExplicitMappingResolver,
  type HandlerFactory,
  type Resolution,
} from "./registry/resolvers.js";

/** Handlers by the name templates call them, and the resolvers that find the rest. */
export class HandlerRegistry {
  readonly #chain: ResolverChain;

  /** @param chain defaults to the one shared by the process; `ResolverChain.standard()` gives a private one. */
  constructor(chain: ResolverChain = ResolverChain.default()) {
    this.#chain = chain;
  }

  /** Kept for existing callers: there is nothing to prepare. */
  async initialize(): Promise<void> {}

  /** @throws Error on an empty name or something that is neither class nor function. */
  register(name: string, entry: StepHandlerClass | HandlerFactory): void {
    if (typeof name !== "string" || name.trim() === "") {
      throw new Error("A handler's name must be a non-empty string");
    }
    if (typeof entry !== "function") {
      throw new Error(
        `Handler "${name}": expected a handler class or a function that makes one, got ${typeof entry}`,
      );
    }
    this.#explicit.register(name, entry);
  }

  unregister(name: string): boolean {
    return this.#explicit.unregister(name);
  }

  /** A handler ready to run one step; null when no resolver knows it. */
  async resolve(spec: HandlerSpec): Promise<ExecutableHandler | null> {
    return await this.resolveNow(spec);
  }

  /** Like {@link resolve}, and without a promise for handlers registered by name. */
  resolveNow(spec: HandlerSpec): Resolution {
    return this.#chain.resolveNow(normalizeToDefinition(spec));
  }

  /** A registered handler; null for those only an asynchronous resolver could find. */
  resolveSync(name: string): ExecutableHandler | null {
    return this.#explicit.resolve({ callable: name });
  }

  /** @deprecated Always undefined: entries need not be classes. Use {@link resolve}. */
  getHandlerClass(_name: string): undefined {
    return undefined;
  }

  isRegistered(name: string): boolean {
    return this.#explicit.get(name) !== undefined;
  }

  listHandlers(): string[] {
    return this.#explicit.keys();
  }

  handlerCount(): number {
    return this.#explicit.keys().length;
  }

  clear(): void {
    this.#explicit.clear();
  }

  addResolver(resolver: BaseResolver): void {
    this.#chain.addResolver(resolver);
  }

  getResolver(name: string): BaseResolver | undefined {
    return this.#chain.getResolver(name);
  }

  listResolvers(): [name: string, priority: number][] {
    return this.#chain.listResolvers();
  }

  getResolverChain(): ResolverChain {
    return this.#chain;
  }

  debugInfo(): Record<string, unknown> {
    return {
      handlerCount: this.handlerCount(),
      handlers: this.listHandlers(),
      resolvers: this.listResolvers(),
    };
  }

  get #explicit(): ExplicitMappingResolver {
    const found = this.#chain.getResolver("explicit_mapping");
    if (found instanceof ExplicitMappingResolver) return found;
    const created = new ExplicitMappingResolver();
    this.#chain.addResolver(created);
    return created;
  }
}
