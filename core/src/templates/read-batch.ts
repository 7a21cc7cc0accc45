import { type BatchConfig, FAILURE_STRATEGIES } from "../model/index.js";
import type { MapReader } from "./map-reader.js";

/** Reads `batch_config`: every key must be written, `failure_strategy` too (`contract/template.md` section 9). */
export function readBatchConfig(reader: MapReader): BatchConfig {
  for (const key of ["batch_size", "parallelism", "failure_strategy"]) {
    if (reader.node(key) === null) {
      reader.missing(
        key,
        key === "failure_strategy" ? `one of ${FAILURE_STRATEGIES.join(", ")}` : null,
      );
    }
  }
  const config: BatchConfig = {
    batch_size: reader.integer("batch_size", { min: 1, max: 100_000 }) ?? 1,
    parallelism: reader.integer("parallelism", { min: 1, max: 1000 }) ?? 1,
    cursor_field: reader.requiredText("cursor_field"),
    worker_template: reader.requiredText("worker_template"),
    failure_strategy:
      reader.choice("failure_strategy", FAILURE_STRATEGIES) ?? "continue_on_failure",
  };
  reader.reportUnknownKeys();
  return config;
}
