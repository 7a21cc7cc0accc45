/** Existing handler files import their base class from this path. */
export { StepHandler } from "../handler.js";
