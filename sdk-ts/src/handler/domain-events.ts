/** Module path that existing handler files use. */
export * from "../domain-events/index.js";
