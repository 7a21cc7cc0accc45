import { setOwn } from "../lib/json-number.js";
import type { EnvironmentOverride, EnvironmentStepOverride } from "../model/index.js";
import type { MapReader } from "./map-reader.js";
import { readRetry } from "./read-retry.js";

/** Reads `environments`; an entry for a step that does not exist has no effect and gets a warning. */
export function readEnvironments(
  template: MapReader,
  stepNames: ReadonlySet<string>,
): Record<string, EnvironmentOverride> {
  const environments: Record<string, EnvironmentOverride> = {};
  const reader = template.map("environments");
  for (const name of reader?.keys() ?? []) {
    const environment = reader?.map(name);
    if (environment === null || environment === undefined) continue;
    const steps = environment.mapList("steps").map((step) => readOverride(step, stepNames));
    environment.reportUnknownKeys();
    setOwn(environments, name, { steps });
  }
  return environments;
}

function readOverride(reader: MapReader, stepNames: ReadonlySet<string>): EnvironmentStepOverride {
  const name = reader.requiredText("name");
  if (name !== "" && name !== "ALL" && !stepNames.has(name)) {
    const hint = reader.ctx.suggest(name, stepNames) ?? "write a step's name, or ALL";
    const message = `no step is named \`${name}\`; this override has no effect`;
    reader.ctx.warning(reader.valueOffset("name"), reader.pathOf("name"), message, hint);
  }
  const handler = reader.map("handler");
  const initialization = handler?.jsonObject("initialization") ?? null;
  handler?.reportUnknownKeys(ONLY_INITIALIZATION);
  const retry = reader.map("retry");
  const override: EnvironmentStepOverride = {
    name,
    handler: initialization === null ? null : { initialization },
    timeout_seconds: reader.integer("timeout_seconds", { min: 1, max: 604_800 }),
    retry: retry === null ? null : readRetry(retry),
  };
  reader.reportUnknownKeys(ONLY_THESE);
  return override;
}

const ONLY_INITIALIZATION = {
  callable: "an environment can only override `handler.initialization`",
  method: "an environment can only override `handler.initialization`",
  resolver: "an environment can only override `handler.initialization`",
};

const ONLY_THESE = Object.fromEntries(
  ["type", "dependencies", "depends_on", "batch_config", "publishes_events", "result_schema"].map(
    (key) => [
      key,
      "an environment can only override handler.initialization, timeout_seconds and retry",
    ],
  ),
);
