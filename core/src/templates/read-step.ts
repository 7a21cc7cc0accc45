import {
  DEFAULT_RETRY,
  type HandlerDefinition,
  STEP_TYPES,
  type StepDefinition,
  type StepType,
  withWrittenRetry,
} from "../model/index.js";
import type { MapReader } from "./map-reader.js";
import { readBatchConfig } from "./read-batch.js";
import { readPublication } from "./read-events.js";
import { readRetry } from "./read-retry.js";

/** A step and where its parts stand, for the checks that look at all steps together. */
export interface ReadStep {
  readonly definition: StepDefinition;
  readonly reader: MapReader;
  readonly dependencies: readonly { text: string; offset: number; path: string }[];
}

const HINTS = {
  depends_on_step: "write `dependencies`",
  depends_on_steps: "write `dependencies`",
  handler_class: "write `handler: { callable: ... }`",
  callable: "it belongs into `handler`",
  initialization: "it belongs into `handler`",
  handler_config: "write `handler.initialization`",
  retry_limit: "write `retry.max_attempts`",
  retryable: "it belongs into `retry`",
  max_attempts: "it belongs into `retry`",
  timeout: "write `timeout_seconds`",
};

// A deadline past a week would outlive every other limit on a task.
const MAX_TIMEOUT_SECONDS = 604_800;

export function readStep(reader: MapReader): ReadStep {
  const name = reader.requiredText("name", { columnWidth: 128 });
  const description = reader.text("description");
  const handler = readHandler(reader);
  const typeKey = oneOf(reader, "type", "step_type");
  const type: StepType = reader.choice(typeKey, STEP_TYPES) ?? "standard";
  const dependencies = reader.textList(oneOf(reader, "dependencies", "depends_on"));
  const system_dependency = reader.text("system_dependency");
  const retry = reader.map("retry");
  const batch = reader.map("batch_config");
  const resultSchema = reader.jsonObject("result_schema");
  const composition = reader.json("composition");

  const step = {
    name,
    description,
    handler,
    type,
    system_dependency,
    dependencies: [...new Set(dependencies.map((dependency) => dependency.text))],
    timeout_seconds: reader.integer("timeout_seconds", { min: 1, max: MAX_TIMEOUT_SECONDS }),
    publishes_events: reader.mapList("publishes_events").map(readPublication),
    batch_config: batch === null ? null : readBatchConfig(batch),
    ...(resultSchema === null ? {} : { result_schema: resultSchema }),
    ...(composition === null ? {} : { composition }),
  };
  const definition =
    retry === null ? { ...step, retry: DEFAULT_RETRY } : withWrittenRetry(step, readRetry(retry));
  reader.reportUnknownKeys(HINTS);
  return { definition, reader, dependencies };
}

function readHandler(step: MapReader): HandlerDefinition {
  const nothing: HandlerDefinition = {
    callable: "",
    method: null,
    resolver: null,
    initialization: {},
  };
  if (step.node("handler") === null)
    step.missing("handler", "for example `handler: { callable: my_handler }`");
  const reader = step.map("handler");
  if (reader === null) return nothing;
  const handler: HandlerDefinition = {
    callable: reader.requiredText("callable", { maxLength: 500 }),
    method: reader.text("method"),
    resolver: reader.text("resolver"),
    initialization: reader.jsonObject("initialization") ?? {},
  };
  reader.reportUnknownKeys({ class: "write `callable`", config: "write `initialization`" });
  return handler;
}

/** The key that is written; both together say two things about one field. */
function oneOf(reader: MapReader, key: string, alias: string): string {
  if (reader.has(key) && reader.has(alias)) {
    reader.node(alias);
    const message = `\`${alias}\` is another name of \`${key}\`; write only one of them`;
    reader.ctx.error(reader.keyOffset(alias), reader.pathOf(alias), message);
  }
  // Looked at so that the name that is absent can still be suggested for a typing error.
  reader.node(key);
  return reader.has(key) || !reader.has(alias) ? key : alias;
}
