/** A handler could not be found or made. */
export class ResolutionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A template names a resolver that nobody registered. */
export class ResolverNotFoundError extends ResolutionError {
  readonly resolverName: string;

  constructor(resolverName: string, known: readonly string[]) {
    super(`No resolver "${resolverName}"; registered: ${known.join(", ") || "none"}`);
    this.resolverName = resolverName;
  }
}

/** Every resolver was asked and none knows the callable. */
export class NoResolverMatchError extends ResolutionError {
  readonly callable: string;

  constructor(callable: string, asked: readonly string[]) {
    super(`No resolver knows the handler "${callable}"; asked: ${asked.join(", ") || "none"}`);
    this.callable = callable;
  }
}

/** A handler has no method of the name its template calls. */
export class MethodDispatchError extends ResolutionError {
  readonly handlerName: string;
  readonly methodName: string;

  constructor(handlerName: string, methodName: string) {
    super(`Handler "${handlerName}" has no method "${methodName}"`);
    this.handlerName = handlerName;
    this.methodName = methodName;
  }
}
