/** Our own handler processes and the example of a fourth language keep every rule of docs/reference/bridge.md. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { BRIDGE_COMMANDS } from "../../bench/bridge.js";
import { isConformant, verifyHandlerProcess } from "../../core/src/bridge/verify/index.js";

const perl = fileURLToPath(new URL("../../examples/bridge-perl/bridge.pl", import.meta.url));
const SLOTS = 8;

const programs = [
  // `advice`: rules whose breach is known and forgiven.
  { name: "python", probe: ["python3", "--version"], ...BRIDGE_COMMANDS["python"]!(SLOTS) },
  { name: "ruby", probe: ["ruby", "--version"], ...BRIDGE_COMMANDS["ruby"]!(SLOTS) },
  {
    name: "perl",
    probe: ["perl", "-MJSON::PP", "-e", "1"],
    command: "perl",
    args: [perl],
    advice: ["value.float"], // a Perl number does not know that it was written 1.0
  },
].map(({ probe: [command = "", ...args], advice = [], ...program }) => ({
  ...program,
  advice,
  isInstalled: spawnSync(command, args).status === 0,
}));

describe.each(programs)("$name (skipped when it is not installed)", (program) => {
  it.runIf(program.isInstalled)(
    "keeps the rules of the bridge protocol",
    async () => {
      const results = await verifyHandlerProcess({ ...program, answerMs: 15_000 });
      const of = (verdict: string) =>
        results.filter((one) => one.verdict === verdict).map(({ rule }) => rule);
      const imperfect = results.filter(({ verdict }) => verdict !== "pass");
      expect(of("fail"), JSON.stringify(imperfect, null, 1)).toEqual([]);
      expect(of("unclear")).toEqual([]);
      expect(of("advice")).toEqual(program.advice);
      expect(of("skip").filter((rule) => rule !== "join.resume")).toEqual([]);
      expect(isConformant(results)).toBe(true);
    },
    120_000,
  );
});

it("the example of a fourth language has at most 300 lines and no module that Perl lacks", () => {
  const lines = readFileSync(perl, "utf8").trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(300);
  const modules = lines.flatMap((line) => /^use ([A-Z][\w:]*)/.exec(line)?.[1] ?? []);
  expect(modules.length).toBeGreaterThan(0);
  const probe = "for (@ARGV) { exit 1 if !Module::CoreList::is_core($_) }";
  const { status, stderr } = spawnSync("perl", ["-MModule::CoreList", "-e", probe, ...modules]);
  if (status !== null) expect(status, stderr.toString()).toBe(0); // null: no perl here
});
