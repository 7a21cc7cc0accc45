import type { Config } from "../config/index.js";
import { maintenanceSettings } from "../engine-settings.js";
import type { ExplainSettings } from "../lifecycle/explain/index.js";

/** What of this configuration `task explain` needs: the hosts' own may differ. */
export function explainSettings(config: Config): ExplainSettings {
  const { staleness } = maintenanceSettings(config);
  return {
    handlerWaitSeconds: config.lease.handler_wait_seconds,
    reconcileIntervalSeconds: config.pump.reconcile_interval_seconds,
    staleness:
      staleness === null
        ? null
        : { ...staleness.limits, enforceLifecycle: staleness.enforceLifecycle },
  };
}
