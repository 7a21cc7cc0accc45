import {
  isConformant,
  RULES,
  type RuleId,
  type RuleResult,
  verifyHandlerProcess,
} from "../../bridge/verify/index.js";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { ruleTable } from "../render/rule-table.js";
import { listenForStop } from "../stop-signals.js";

export interface BridgeVerifyOptions {
  readonly rule: readonly string[];
  readonly strict?: boolean;
  /** Seconds. */
  readonly patience: number;
}

/** `tasker bridge verify -- <command>`: exit code 1 when the program breaks a rule of the protocol. */
export async function bridgeVerify(
  { output, workingDirectory }: CommandContext,
  { rule, strict = false, patience }: BridgeVerifyOptions,
  [command = "", ...args]: readonly string[],
): Promise<number> {
  const stops = listenForStop(() => output.note("Stopping"));
  try {
    const results = await verifyHandlerProcess({
      command,
      args,
      cwd: workingDirectory,
      isStrict: strict,
      answerMs: patience * 1000,
      signal: stops.signal,
      ...(rule.length === 0 ? {} : { rules: rule.map(knownRule) }),
    });
    const isFine = isConformant(results);
    for (const line of ruleTable(results, output.palette)) output.print(line);
    output.print(summary(results, isFine));
    output.json({ conformant: isFine, command: [command, ...args], rules: results });
    return isFine ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (stops.exitCode !== null) return stops.exitCode;
    throw error;
  } finally {
    stops.close();
  }
}

function knownRule(name: string): RuleId {
  if (Object.hasOwn(RULES, name)) return name as RuleId;
  const known = Object.keys(RULES).join(", ");
  throw new CliError("USAGE", EXIT.usage, `There is no rule \`${name}\`. There are: ${known}`);
}

function summary(results: readonly RuleResult[], isFine: boolean): string {
  const count = (verdict: RuleResult["verdict"]): number =>
    results.filter((result) => result.verdict === verdict).length;
  const others = (["fail", "advice", "unclear", "skip"] as const)
    .map((verdict) => [count(verdict), verdict] as const)
    .filter(([many]) => many > 0)
    .map(([many, verdict]) => `, ${many} ${verdict}`);
  const verdict = isFine ? "conforms to" : "does not conform to";
  return `The program ${verdict} bridge protocol 1: ${count("pass")} of ${results.length} pass${others.join("")} (docs/reference/bridge.md)`;
}
