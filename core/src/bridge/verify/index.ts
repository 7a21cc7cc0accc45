export { RULES, type Rule, type RuleId } from "./rules.js";
export {
  isConformant,
  type RuleResult,
  type Verdict,
  type VerifyOptions,
  verifyHandlerProcess,
} from "./verify.js";
