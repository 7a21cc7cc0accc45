/** How a template names a handler. */
export interface HandlerDefinition {
  readonly callable: string;
  /** Calls this method instead of `call`. */
  readonly method?: string | null;
  /** Only the resolver of this name may answer. */
  readonly resolver?: string | null;
  readonly initialization?: Record<string, unknown>;
}

/** A definition as it arrives from elsewhere; the `handler_` names are those of the step event. */
export interface HandlerDto {
  readonly callable?: unknown;
  readonly method?: unknown;
  readonly resolver?: unknown;
  readonly initialization?: unknown;
  readonly handler_method?: unknown;
  readonly handlerMethod?: unknown;
}

/** Everything `resolve` understands: a callable, a definition, or an object of that shape. */
export type HandlerSpec = string | HandlerDefinition | HandlerDto;

export function fromCallable(callable: string): HandlerDefinition {
  return { callable };
}

export function fromDto(dto: HandlerDto): HandlerDefinition {
  const initialization = dto.initialization;
  return {
    callable: textOf(dto.callable) ?? "",
    method: textOf(dto.method) ?? textOf(dto.handlerMethod) ?? textOf(dto.handler_method),
    resolver: textOf(dto.resolver),
    initialization:
      typeof initialization === "object" && initialization !== null
        ? (initialization as Record<string, unknown>)
        : {},
  };
}

export function normalizeToDefinition(spec: HandlerSpec): HandlerDefinition {
  return typeof spec === "string" ? fromCallable(spec) : fromDto(spec);
}

/** The method that runs: `call` unless the template names another. */
export function effectiveMethod(definition: HandlerDefinition): string {
  return definition.method || "call";
}

export function usesMethodDispatch(definition: HandlerDefinition): boolean {
  return effectiveMethod(definition) !== "call";
}

export function hasResolverHint(definition: HandlerDefinition): boolean {
  return Boolean(definition.resolver);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
