import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildProgram } from "../../core/test/bridge/fixtures/peer-program.js";
import { type CliProject, createCliProject } from "./cli-support.js";

/** `tasker bridge verify` as a user calls it; no database is touched. */
const fixture = new URL("../../core/test/bridge/verify/fixtures/process.ts", import.meta.url);
const program = buildProgram(fileURLToPath(fixture));
const RULES = ["--rule", "ping.idle", "--rule", "answer.once"];
let project: CliProject;

beforeAll(async () => {
  project = await createCliProject(() => "postgres://nobody@127.0.0.1:1/none");
});
afterAll(async () => {
  await project.remove();
  program.remove();
});

it.concurrent("exit code 0 and a table for a program that keeps the rules", async () => {
  const { result } = project.start(["bridge", "verify", ...RULES, "--", "node", program.path]);
  const { code, stdout } = await result;
  expect(stdout).toMatch(/✓ pass\s+ping\.idle\s+§8/);
  expect(stdout).toContain("conforms to bridge protocol 1: 3 of 3 pass");
  expect(code).toBe(0);
});

it.concurrent("exit code 1 and the rule for one that does not, also as JSON", async () => {
  const args = ["bridge", "verify", ...RULES, "--patience", "10", "--", "node", program.path];
  const env = { VERIFY_FAULT: "answers_twice" };
  const [text, json] = await Promise.all([
    project.start(args, { env }).result,
    project.start(["--json", ...args], { env }).result,
  ]);
  expect(text.stdout).toMatch(/✗ fail\s+answer\.once\s+§6/);
  expect(text.stdout).toContain("a second terminal message");
  expect(text.code).toBe(1);
  const { conformant, rules } = JSON.parse(json.stdout) as {
    conformant: boolean;
    rules: { rule: string; verdict: string }[];
  };
  expect(conformant).toBe(false);
  expect(rules.find(({ rule }) => rule === "answer.once")?.verdict).toBe("fail");
  expect(json.code).toBe(1);
});

it.concurrent("exit code 2 for a rule that does not exist", async () => {
  const { result } = project.start(["bridge", "verify", "--rule", "ping.pong", "--", "true"]);
  const { code, stderr } = await result;
  expect(stderr).toContain("There is no rule `ping.pong`");
  expect(code).toBe(2);
});
