import { describe, expect, it } from "vitest";
import {
  applyDecision,
  DecisionHandler,
  DecisionType,
  type StepHandlerResult,
} from "../src/index.js";

class Route extends DecisionHandler {
  static override readonly handlerName = "route";
  static override readonly handlerVersion = "2.1.0";
  async call(): Promise<StepHandlerResult> {
    return this.decisionSuccess(["a", "b"], { score: 3 }, { source: "test" });
  }
  fail(): StepHandlerResult {
    return this.decisionFailure("cannot decide");
  }
  skip(): StepHandlerResult {
    return this.skipBranches("nothing due");
  }
}

const identity = { decision_handler: "route", decision_version: "2.1.0" };

describe("decisions", () => {
  it("name the steps to create", async () => {
    const result = await new Route().call();
    expect(result.result).toEqual({
      decision_point_outcome: { type: "create_steps", step_names: ["a", "b"] },
      routing_context: { score: 3 },
    });
    expect(result.metadata).toEqual({ source: "test", ...identity });
    expect(new Route().capabilities).toEqual(["process", "decision", "routing"]);
  });

  it("skip with a reason, and fail for good", () => {
    expect(new Route().skip().result).toEqual({
      decision_point_outcome: { type: "no_branches" },
      reason: "nothing due",
    });
    expect(new Route().fail()).toMatchObject({
      success: false,
      errorType: "decision_error",
      retryable: false,
      metadata: identity,
    });
  });

  it("can be made by any object with a name and a version", () => {
    const target = applyDecision({ name: "route", version: "2.1.0" });
    const { result } = target.decisionSuccessWithOutcome({
      decisionType: DecisionType.CREATE_STEPS,
      nextStepNames: ["a"],
      dynamicSteps: [{ name: "extra" }],
      routingContext: {},
    });
    expect(result).toEqual({
      decision_point_outcome: { type: "create_steps", step_names: ["a"] },
      dynamic_steps: [{ name: "extra" }],
    });
  });
});
