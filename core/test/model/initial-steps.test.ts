import { describe, expect, it } from "vitest";
import { segmentationCases, stepsOf } from "../../../test/conformance/rules/load.js";
import { initialStepNames } from "../../src/model/index.js";

describe("steps created with the task", () => {
  it.each(segmentationCases("initial"))("$name", ({ steps, initial }) => {
    expect(initialStepNames(stepsOf(steps))).toEqual(initial);
  });
});
