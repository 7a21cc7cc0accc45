export { BridgeSupervisor } from "./supervisor.js";
export type { BridgeMetrics, BridgeSupervisorOptions } from "./types.js";
