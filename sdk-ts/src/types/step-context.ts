/** Existing handler files import the context from this path. */
export { StepContext, type StepContextParams } from "../context.js";
