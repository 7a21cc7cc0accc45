import { DECISION, hasBrand } from "../brand.js";
import type { DecisionCapable } from "../decision.js";
import type { StepHandlerResult } from "../result.js";

type Fields = Record<string, unknown>;

/** What a decision handler returns. */
export class Decision {
  /** Step names to create; empty when the decision was to skip. */
  readonly steps: readonly string[];
  /** Why nothing is created; null when something is. */
  readonly skipReason: string | null;
  readonly routingContext: Fields;

  private constructor(steps: readonly string[], skipReason: string | null, context: Fields) {
    this.steps = steps;
    this.skipReason = skipReason;
    this.routingContext = context;
  }

  get [DECISION](): true {
    return true;
  }

  static route(steps: readonly string[], routingContext: Fields = {}): Decision {
    return new Decision(steps, null, routingContext);
  }

  static skip(reason: string, routingContext: Fields = {}): Decision {
    return new Decision([], reason, routingContext);
  }

  /** The result a decision stands for; null when `value` is none. */
  static resultOf(value: unknown, decisions: DecisionCapable): StepHandlerResult | null {
    if (!hasBrand(value, DECISION)) return null;
    const { steps, skipReason, routingContext } = value as Decision;
    return skipReason === null
      ? decisions.decisionSuccess(steps, routingContext)
      : decisions.skipBranches(skipReason, routingContext);
  }
}
