import { describe, expect, it } from "vitest";
import { toMermaid } from "../../src/model/index.js";
import { after, step, template, typed } from "./builders.js";

describe("toMermaid", () => {
  it("draws types as shapes, later steps with dashed arrows, states as classes", () => {
    const source = template([
      after("check"),
      typed("decision", "route", "check"),
      after("pay", "route"),
      typed("deferred_convergence", "done", "pay"),
    ]);
    const text = toMermaid(source, {
      states: { check: "complete", route: "complete", pay: "in_progress", done: "no_such_state" },
      secondLine: (item) => (item.name === "pay" ? "python" : null),
    });
    expect(text).toBe(
      [
        "flowchart TD",
        '  s0["check"]',
        '  s1{"route"}',
        '  s2["pay<br/>python"]',
        '  s3{{"done"}}',
        "  s0 --> s1",
        "  s1 -.-> s2",
        "  s2 -.-> s3",
        "  classDef complete fill:#d3f2d9,stroke:#2f8f46,color:#123d1d",
        "  class s0,s1 complete",
        "  classDef in_progress fill:#d6e6fb,stroke:#2b6cb0,color:#12304f",
        "  class s2 in_progress",
        "",
      ].join("\n"),
    );
  });

  it("escapes whatever a name may contain", () => {
    const handler = { callable: "A::B#c", method: null, resolver: null, initialization: {} };
    const text = toMermaid(template([step('say "hi" <b>\nand `go`; end', { handler })]));
    expect(text).toContain(
      '  s0["say #quot;hi#quot; #lt;b#gt; and #96;go#96;; end<br/>A::B#35;c"]',
    );
  });
});
