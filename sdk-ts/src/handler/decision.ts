/** Existing handler files import decision handlers from this path. */
export { DecisionHandler, type DecisionPointOutcome, DecisionType } from "../decision.js";
