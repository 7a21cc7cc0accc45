import type { RuleId } from "./rules.js";

/** What was expected did not come; the check that waited for it says which rule that is. */
export class NotMetError extends Error {
  override readonly name = "NotMetError";
}

/** A rule that holds at every moment was broken, whatever was being looked at. */
export class BrokenRuleError extends Error {
  override readonly name = "BrokenRuleError";
  readonly rule: RuleId;

  constructor(rule: RuleId, detail: string) {
    super(detail);
    this.rule = rule;
  }
}

/** The program does not offer what the check is about. */
export class NotOfferedError extends Error {
  override readonly name = "NotOfferedError";
}
