import { StepHandler } from "./handler.js";
import { StepHandlerResult } from "./result.js";

export type DecisionType = "create_steps" | "no_branches";
export const DecisionType = {
  CREATE_STEPS: "create_steps",
  NO_BRANCHES: "no_branches",
} as const satisfies Record<string, DecisionType>;

export interface DecisionPointOutcome {
  readonly decisionType: DecisionType;
  readonly nextStepNames: readonly string[];
  /** Carried in the result for readers; the engine creates steps of the template only. */
  readonly dynamicSteps?: readonly Record<string, unknown>[];
  readonly reason?: string;
  readonly routingContext: Record<string, unknown>;
}

type Fields = Record<string, unknown>;

/** The methods of a decision handler, wherever they are attached. */
export interface DecisionCapable {
  decisionSuccess(
    steps: readonly string[],
    routingContext?: Fields,
    metadata?: Fields,
  ): StepHandlerResult;
  decisionSuccessWithOutcome(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  decisionNoBranches(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult;
  skipBranches(reason: string, routingContext?: Fields, metadata?: Fields): StepHandlerResult;
  decisionFailure(
    message: string,
    errorType?: string,
    retryable?: boolean,
    metadata?: Fields,
  ): StepHandlerResult;
}

export interface NamedHandler {
  readonly name: string;
  readonly version: string;
}

/** Adds the decision methods to any object that knows its name and version. */
export class DecisionMixin implements DecisionCapable {
  readonly #owner: NamedHandler;

  constructor(owner: NamedHandler) {
    this.#owner = owner;
  }

  decisionSuccess(
    steps: readonly string[],
    routingContext?: Fields,
    metadata?: Fields,
  ): StepHandlerResult {
    return this.decisionSuccessWithOutcome(
      {
        decisionType: DecisionType.CREATE_STEPS,
        nextStepNames: steps,
        routingContext: routingContext ?? {},
      },
      metadata,
    );
  }

  decisionSuccessWithOutcome(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult {
    const created = outcome.decisionType === DecisionType.CREATE_STEPS;
    const payload: Fields = {
      decision_point_outcome: created
        ? { type: outcome.decisionType, step_names: [...outcome.nextStepNames] }
        : { type: outcome.decisionType },
    };
    if (outcome.dynamicSteps !== undefined && outcome.dynamicSteps.length > 0) {
      payload["dynamic_steps"] = outcome.dynamicSteps;
    }
    return this.#result(payload, outcome, metadata);
  }

  decisionNoBranches(outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult {
    return this.#result(
      { decision_point_outcome: { type: outcome.decisionType } },
      outcome,
      metadata,
    );
  }

  skipBranches(reason: string, routingContext?: Fields, metadata?: Fields): StepHandlerResult {
    return this.decisionNoBranches(
      {
        decisionType: DecisionType.NO_BRANCHES,
        nextStepNames: [],
        reason,
        routingContext: routingContext ?? {},
      },
      metadata,
    );
  }

  decisionFailure(
    message: string,
    errorType = "decision_error",
    retryable = false,
    metadata?: Fields,
  ): StepHandlerResult {
    return StepHandlerResult.failure(message, errorType, retryable, this.#metadata(metadata));
  }

  #result(payload: Fields, outcome: DecisionPointOutcome, metadata?: Fields): StepHandlerResult {
    if (Object.keys(outcome.routingContext).length > 0) {
      payload["routing_context"] = outcome.routingContext;
    }
    if (outcome.reason) payload["reason"] = outcome.reason;
    return StepHandlerResult.success(payload, this.#metadata(metadata));
  }

  #metadata(metadata?: Fields): Fields {
    return {
      ...metadata,
      decision_handler: this.#owner.name,
      decision_version: this.#owner.version,
    };
  }
}

/** Gives `target` the decision methods, bound; returns the same object. */
export function applyDecision<T extends NamedHandler>(target: T): T & DecisionCapable {
  const mixin = new DecisionMixin(target);
  const methods: DecisionCapable = {
    decisionSuccess: mixin.decisionSuccess.bind(mixin),
    decisionSuccessWithOutcome: mixin.decisionSuccessWithOutcome.bind(mixin),
    decisionNoBranches: mixin.decisionNoBranches.bind(mixin),
    skipBranches: mixin.skipBranches.bind(mixin),
    decisionFailure: mixin.decisionFailure.bind(mixin),
  };
  return Object.assign(target, methods);
}

/** A class handler that chooses which of the template's decision branches run. */
export abstract class DecisionHandler extends StepHandler {
  readonly #decisions = new DecisionMixin(this);

  override get capabilities(): string[] {
    return ["process", "decision", "routing"];
  }

  protected decisionSuccess(
    steps: readonly string[],
    routingContext?: Fields,
    metadata?: Fields,
  ): StepHandlerResult {
    return this.#decisions.decisionSuccess(steps, routingContext, metadata);
  }

  protected decisionSuccessWithOutcome(
    outcome: DecisionPointOutcome,
    metadata?: Fields,
  ): StepHandlerResult {
    return this.#decisions.decisionSuccessWithOutcome(outcome, metadata);
  }

  protected decisionNoBranches(
    outcome: DecisionPointOutcome,
    metadata?: Fields,
  ): StepHandlerResult {
    return this.#decisions.decisionNoBranches(outcome, metadata);
  }

  protected skipBranches(
    reason: string,
    routingContext?: Fields,
    metadata?: Fields,
  ): StepHandlerResult {
    return this.#decisions.skipBranches(reason, routingContext, metadata);
  }

  protected decisionFailure(
    message: string,
    errorType?: string,
    retryable?: boolean,
    metadata?: Fields,
  ): StepHandlerResult {
    return this.#decisions.decisionFailure(message, errorType, retryable, metadata);
  }
}
