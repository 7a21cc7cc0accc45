import type { ExecutableHandler } from "../handler.js";
import {
  effectiveMethod,
  type HandlerDefinition,
  hasResolverHint,
  usesMethodDispatch,
} from "./definition.js";
import { ResolverNotFoundError } from "./errors.js";
import { MethodDispatchWrapper } from "./method-dispatch.js";
import {
  type BaseResolver,
  ClassLookupResolver,
  ExplicitMappingResolver,
  type Resolution,
  type ResolverConfig,
} from "./resolvers.js";

/** Asks resolvers in order of priority until one answers. */
export class ResolverChain {
  static #default: ResolverChain | null = null;
  #resolvers: BaseResolver[] = [];

  /** A new chain with the two standard resolvers. */
  static standard(): ResolverChain {
    return new ResolverChain()
      .addResolver(new ExplicitMappingResolver())
      .addResolver(new ClassLookupResolver());
  }

  /** The chain shared by everything in the process that does not bring its own. */
  static default(): ResolverChain {
    ResolverChain.#default ??= ResolverChain.standard();
    return ResolverChain.#default;
  }

  static resetDefault(): void {
    ResolverChain.#default = null;
  }

  /** A resolver of the same name is replaced. */
  addResolver(resolver: BaseResolver): this {
    this.#resolvers = [
      ...this.#resolvers.filter((known) => known.name !== resolver.name),
      resolver,
    ];
    this.#resolvers.sort((a, b) => a.priority - b.priority);
    return this;
  }

  removeResolver(name: string): boolean {
    const before = this.#resolvers.length;
    this.#resolvers = this.#resolvers.filter((resolver) => resolver.name !== name);
    return this.#resolvers.length < before;
  }

  getResolver(name: string): BaseResolver | undefined {
    return this.#resolvers.find((resolver) => resolver.name === name);
  }

  /** `[name, priority]` in the order of asking. */
  listResolvers(): [name: string, priority: number][] {
    return this.#resolvers.map((resolver) => [resolver.name, resolver.priority]);
  }

  /** @throws ResolverNotFoundError when the definition names a resolver that is not here. */
  async resolve(
    definition: HandlerDefinition,
    config?: ResolverConfig,
  ): Promise<ExecutableHandler | null> {
    return await this.resolveNow(definition, config);
  }

  /** Like {@link resolve}, and without a promise as long as the asked resolvers answer without one. */
  resolveNow(definition: HandlerDefinition, config?: ResolverConfig): Resolution {
    const found = this.#ask(this.#candidates(definition), 0, definition, config);
    if (found === null || !usesMethodDispatch(definition)) return found;
    if (found instanceof Promise) return found.then((handler) => dispatching(handler, definition));
    return dispatching(found, definition);
  }

  #candidates(definition: HandlerDefinition): readonly BaseResolver[] {
    if (!hasResolverHint(definition)) return this.#resolvers;
    const hinted = this.getResolver(definition.resolver ?? "");
    if (hinted !== undefined) return [hinted];
    const known = this.#resolvers.map((resolver) => resolver.name);
    throw new ResolverNotFoundError(definition.resolver ?? "", known);
  }

  #ask(
    resolvers: readonly BaseResolver[],
    start: number,
    definition: HandlerDefinition,
    config?: ResolverConfig,
  ): Resolution {
    for (let index = start; index < resolvers.length; index++) {
      const resolver = resolvers[index];
      if (resolver === undefined || !resolver.canResolve(definition, config)) continue;
      const answer = resolver.resolve(definition, config);
      if (answer instanceof Promise) {
        return answer.then((found) => found ?? this.#ask(resolvers, index + 1, definition, config));
      }
      if (answer !== null) return answer;
    }
    return null;
  }
}

/**
 * The handler behind the method its template names. Existing templates name methods on handlers that have only
 * `call`: those run as they are, and `executeStep` warns.
 */
function dispatching(
  handler: ExecutableHandler | null,
  definition: HandlerDefinition,
): ExecutableHandler | null {
  if (handler === null) return null;
  const method = effectiveMethod(definition);
  return MethodDispatchWrapper.canDispatch(handler, method)
    ? new MethodDispatchWrapper(handler, method)
    : handler;
}
