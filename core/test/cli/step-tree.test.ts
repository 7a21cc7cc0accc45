import { describe, expect, it } from "vitest";
import { renderStepTree, type StepTreeOptions } from "../../src/cli/render/step-tree.js";
import { createPalette } from "../../src/cli/terminal.js";
import { step } from "./steps.js";

const NOW = Date.parse("2026-01-01T00:00:10Z");
const options: StepTreeOptions = {
  palette: createPalette(false),
  nowMs: NOW,
  languageOf: (callable) => (callable === "charge" ? "ruby" : null),
  width: 100,
  maxLines: 20,
};

describe("renderStepTree", () => {
  it("shows state, duration, language, attempts and what a step waits for, by depth", () => {
    const lines = renderStepTree(
      [
        step(0, "validate", { state: "complete", attempts: 1, execution_ms: 12 }),
        step(1, "charge", {
          state: "in_progress",
          attempts: 2,
          dependencies: [0],
          last_attempted_at: new Date(NOW - 1500),
        }),
        step(2, "reserve", {
          state: "waiting_for_retry",
          attempts: 1,
          dependencies: [0],
          execution_ms: 3,
          next_retry_at: new Date(NOW + 2000),
          error_message: "stock service\nis away",
        }),
        step(3, "ship", { dependencies: [1, 2] }),
      ],
      options,
    );
    expect(lines).toEqual([
      "  ✓ validate   complete  12 ms",
      "  ●   charge   in_progress  1.5 s  ruby  attempt 2 of 3",
      "  ↻   reserve  waiting_for_retry  3 ms  attempt 1 of 3  again in 2.0 s: stock service is away",
      "  ○     ship   pending  after charge and 1 more",
    ]);
  });

  it("keeps what fails and runs when there is no room for all, and counts the rest", () => {
    const steps = Array.from({ length: 50 }, (_, i) =>
      step(i, `s${i}`, { state: i === 40 ? "error" : i === 30 ? "in_progress" : "complete" }),
    );
    const lines = renderStepTree(steps, { ...options, maxLines: 4 });
    expect(lines).toHaveLength(4);
    expect(lines[1]).toContain("s30");
    expect(lines[2]).toContain("s40");
    expect(lines[3]).toBe("    … 47 complete");
  });

  it("never exceeds the terminal's width, and prints no control characters", () => {
    const message = `${"long ".repeat(50)}\u001b[2J`;
    const [line = ""] = renderStepTree(
      [step(0, "n".repeat(80), { state: "error", error_message: message })],
      { ...options, width: 60 },
    );
    expect(line.length).toBeLessThanOrEqual(60);
    expect(line).toMatch(/…$/);
    const [wide = ""] = renderStepTree(
      [step(0, "\u001b[31mred\u202e", { state: "error", error_message: message })],
      { ...options, width: 500 },
    );
    expect(wide).toContain("\\u001b[31mred\\u202e");
    expect(wide).toContain("\\u001b[2J");
    expect(wide).not.toContain("\u001b");
  });
});
