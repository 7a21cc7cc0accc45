import { describe, expect, it } from "vitest";
import { nearestName } from "../../src/lib/nearest-name.js";

describe("nearestName", () => {
  it.each([
    ["dependancies", ["description", "dependencies", "retry"], "dependencies"],
    ["max_attemps", ["max_attempts", "max_backoff_ms"], "max_attempts"],
    ["Validate", ["validate", "ship"], "validate"],
    ["b", ["a"], "a"],
    ["completely_other", ["a", "validate_order"], null],
    ["x", [], null],
  ])("%s among %j is %s", (name, candidates, expected) => {
    expect(nearestName(name, candidates)).toBe(expected);
  });
});
