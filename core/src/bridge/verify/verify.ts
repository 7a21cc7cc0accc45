import { messageOf } from "../../errors/index.js";
import { BrokenRuleError, NotMetError, NotOfferedError } from "./broken-rule.js";
import { answerChecks } from "./checks/answers.js";
import { endingChecks } from "./checks/ending.js";
import { faultChecks } from "./checks/faults.js";
import { frameChecks } from "./checks/frames.js";
import { handshakeChecks, helloCheck } from "./checks/handshake.js";
import { joiningChecks } from "./checks/joining.js";
import { outputChecks } from "./checks/output.js";
import { passiveChecks } from "./checks/passive.js";
import { runningChecks } from "./checks/running.js";
import { valueChecks } from "./checks/values.js";
import type { Patience } from "./conversation.js";
import { type Check, Examination } from "./examination.js";
import { RULES, type RuleId } from "./rules.js";
import type { SubjectOptions } from "./subject.js";

const CHECKS: readonly Check[] = [
  ...handshakeChecks,
  ...frameChecks,
  ...passiveChecks,
  ...valueChecks,
  ...answerChecks,
  ...runningChecks,
  ...endingChecks,
  ...faultChecks,
  ...outputChecks,
  ...joiningChecks,
];

/**
 * `pass`: it holds. `fail`: it was broken. `advice`: broken, and forgiven. `skip`: the program does not offer it.
 * `unclear`: another rule was broken while this one was looked at.
 */
export type Verdict = "pass" | "fail" | "advice" | "skip" | "unclear";

export interface RuleResult {
  readonly rule: RuleId;
  /** Of docs/reference/bridge.md. */
  readonly section: number;
  readonly text: string;
  readonly verdict: Verdict;
  /** What was seen; empty when it holds. */
  readonly detail: string;
}

export interface VerifyOptions extends SubjectOptions {
  /** Only these rules; the handshake comes first in any case. Default: all. */
  readonly rules?: readonly RuleId[];
  /** Advice counts like any other rule. */
  readonly isStrict?: boolean;
  /** How long an answer may take that comes at once from a healthy program; default 5 000. */
  readonly answerMs?: number;
  /** Programs running at a time; default 4. */
  readonly concurrency?: number;
  readonly onResult?: (result: RuleResult) => void;
  readonly signal?: AbortSignal;
}

const QUIET_MS = 200;

/**
 * Holds a handler process against the protocol: starts it once for every rule, speaks as a host would, sane or not,
 * and says which rules it breaks. The results are in the order of the rules. Nothing of the program is left running.
 */
export async function verifyHandlerProcess(options: VerifyOptions): Promise<RuleResult[]> {
  const patience: Patience = { answerMs: options.answerMs ?? 5000, quietMs: QUIET_MS };
  const wanted = new Set<RuleId>(options.rules ?? (Object.keys(RULES) as RuleId[]));
  const findings = new Map<RuleId, Finding>();
  const examine = async (check: Check): Promise<void> => {
    options.signal?.throwIfAborted();
    const finding = await findingOf(check, options, patience);
    note(findings, check.rule, finding);
    options.onResult?.(resultOf(check.rule, findings, options));
  };
  await examine(helloCheck);
  const isStranger = findings.get("handshake.hello")?.verdict !== "pass";
  const rest = isStranger ? [] : CHECKS.filter(({ rule }) => wanted.has(rule));
  const queue = [...rest];
  const workers = Array.from({ length: options.concurrency ?? 4 }, async () => {
    for (let check = queue.shift(); check !== undefined; check = queue.shift())
      await examine(check);
  });
  await Promise.all(workers);
  return (Object.keys(RULES) as RuleId[])
    .filter((rule) => wanted.has(rule) || findings.has(rule))
    .map((rule) => resultOf(rule, findings, options));
}

interface Finding {
  readonly verdict: "pass" | "fail" | "skip" | "unclear";
  readonly detail: string;
  /** The rule that was broken instead. */
  readonly broken?: RuleId;
}

async function findingOf(
  check: Check,
  options: VerifyOptions,
  patience: Patience,
): Promise<Finding> {
  const exam = new Examination(options, patience, check);
  try {
    await check.run(exam);
    return { verdict: "pass", detail: "" };
  } catch (error) {
    if (error instanceof NotMetError) return { verdict: "fail", detail: error.message };
    if (error instanceof NotOfferedError) return { verdict: "skip", detail: error.message };
    if (!(error instanceof BrokenRuleError)) throw error;
    // What is printed onto stdin and stdout is that lane's own rule.
    const isOwn = check.rule === "channel.stdio" && error.rule === "frame.valid";
    if (error.rule === check.rule || isOwn) return { verdict: "fail", detail: error.message };
    return { verdict: "unclear", detail: messageOf(error), broken: error.rule };
  } finally {
    await exam.end();
  }
}

/** What was seen by the way counts against the rule that it breaks. */
function note(findings: Map<RuleId, Finding>, rule: RuleId, finding: Finding): void {
  if (findings.get(rule)?.verdict !== "fail") findings.set(rule, finding);
  if (finding.broken === undefined) return;
  findings.set(finding.broken, { verdict: "fail", detail: finding.detail });
}

function resultOf(
  rule: RuleId,
  findings: ReadonlyMap<RuleId, Finding>,
  { isStrict = false }: VerifyOptions,
): RuleResult {
  const { section, text, isAdvice } = RULES[rule];
  const finding = findings.get(rule) ?? { verdict: "unclear", detail: "the handshake failed" };
  const isForgiven = finding.verdict === "fail" && isAdvice === true && !isStrict;
  const detail = finding.broken === undefined ? finding.detail : `${finding.broken} was broken`;
  return { rule, section, text, verdict: isForgiven ? "advice" : finding.verdict, detail };
}

/** Whether a program with these results may call itself conformant. */
export function isConformant(results: readonly RuleResult[]): boolean {
  return results.every(({ verdict }) => verdict !== "fail" && verdict !== "unclear");
}
