import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import {
  isConformant,
  RULES,
  type RuleId,
  type RuleResult,
  verifyHandlerProcess,
} from "../../../src/bridge/verify/index.js";
import { buildProgram } from "../fixtures/peer-program.js";
import { FAULTS, type Fault } from "./fixtures/faults.js";

const program = buildProgram(fileURLToPath(new URL("./fixtures/process.ts", import.meta.url)));
afterAll(() => program.remove());

describe("a process that keeps the rules", () => {
  it("passes all of them, strictly", async () => {
    const results = await verifyHandlerProcess({
      command: process.execPath,
      args: [program.path],
      isStrict: true,
    });
    expect(results.filter(({ verdict }) => verdict !== "pass")).toEqual([]);
    expect(results.map(({ rule }) => rule)).toEqual(Object.keys(RULES));
    expect(isConformant(results)).toBe(true);
  }, 60_000);
});

describe("a process with one fault is told the rule it breaks", () => {
  it.concurrent.each(Object.keys(FAULTS) as Fault[])(
    "%s",
    async (fault) => {
      const expected: readonly RuleId[] = FAULTS[fault];
      const results = await verifyHandlerProcess({
        command: process.execPath,
        args: [program.path],
        env: { VERIFY_FAULT: fault },
        // The named rules and their relatives: the others must not be blamed.
        rules: relativesOf(expected),
        isStrict: true,
        answerMs: 2000,
        concurrency: 2,
      });
      expect(failed(results), describeResults(results)).toEqual([...expected].sort());
      expect(isConformant(results)).toBe(false);
    },
    60_000,
  );

  it("every rule is broken by some fault", () => {
    const broken = new Set<string>(Object.values(FAULTS).flat());
    const others = Object.keys(RULES).filter((rule) => !broken.has(rule));
    expect(others).toEqual([]);
  });
});

describe("what the checker does with programs that are none", () => {
  it.each([
    ["does not exist", "/nowhere/handler", []],
    [
      "exits at once",
      process.execPath,
      ["-e", "console.error('no module named orders'); process.exit(3)"],
    ],
  ])("one that %s fails the handshake and nothing else is judged", async (_, command, args) => {
    const results = await verifyHandlerProcess({ command, args, answerMs: 1000 });
    expect(failed(results)).toEqual(["handshake.hello"]);
    expect(results.filter(({ verdict }) => verdict === "unclear")).toHaveLength(results.length - 1);
    const said = results.find(({ rule }) => rule === "handshake.hello")?.detail;
    expect(said).toContain(args.length === 0 ? "ENOENT" : "no module named orders");
  });
});

function relativesOf(rules: readonly RuleId[]): RuleId[] {
  const families = new Set(rules.map((rule) => rule.split(".")[0]));
  return (Object.keys(RULES) as RuleId[]).filter((rule) => families.has(rule.split(".")[0] ?? ""));
}

function failed(results: readonly RuleResult[]): string[] {
  return results
    .filter(({ verdict }) => verdict === "fail")
    .map(({ rule }) => rule)
    .sort();
}

function describeResults(results: readonly RuleResult[]): string {
  return results.map(({ verdict, rule, detail }) => `${verdict} ${rule} ${detail}`).join("\n");
}
