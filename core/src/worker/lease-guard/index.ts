export { LeaseGuard, type LeaseGuardOptions } from "./lease-guard.js";
export { SharedHoldings, sharedNowMs } from "./shared-holdings.js";
