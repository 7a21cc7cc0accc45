import { type JsonObject, type JsonValue, setOwn, stringifyJson } from "../../lib/json-number.js";
import type { BatchConfig } from "../../model/index.js";
import type { RuntimeStep } from "../runtime-template.js";
import type { CursorConfig } from "./outcome-parsing.js";
import type { PlannedWorker } from "./plan.js";

/** A `batch_worker` step that workers can be made from. */
export interface WorkerTemplate {
  readonly step: RuntimeStep;
  readonly config: BatchConfig;
}

/** One worker per range. */
export function cursorWorkers(
  template: WorkerTemplate,
  cursors: readonly CursorConfig[],
): PlannedWorker[] {
  return cursors.map((cursor) => worker(template, cursor, false));
}

/** The one worker that runs when there is nothing to do, so that what follows the batch still happens. */
export function placeholderWorker(template: WorkerTemplate): PlannedWorker {
  return worker(template, { batchId: "000", startCursor: 0, endCursor: 0, batchSize: 0 }, true);
}

function worker(template: WorkerTemplate, cursor: CursorConfig, isNoOp: boolean): PlannedWorker {
  const { step, config } = template;
  return {
    name: `${step.name}_${cursor.batchId}`,
    templateOrdinal: step.ordinal,
    inputsJson: stringifyJson(inputsOf(template, cursor, isNoOp)),
    failureTolerated: config.failure_strategy !== "fail_fast",
  };
}

/** Key names are the contract's (`contract/template.md` section 9); ours win over equal initialization keys. */
function inputsOf(
  { step, config }: WorkerTemplate,
  cursor: CursorConfig,
  isNoOp: boolean,
): JsonObject {
  const inputs: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(step.initialization)) setOwn(inputs, key, value);
  inputs["cursor"] = {
    batch_id: cursor.batchId,
    start_cursor: cursor.startCursor,
    end_cursor: cursor.endCursor,
    batch_size: cursor.batchSize,
  };
  inputs["batch_metadata"] = {
    cursor_field: config.cursor_field,
    failure_strategy: config.failure_strategy,
  };
  inputs["is_no_op"] = isNoOp;
  inputs["__template_step_name"] = step.name;
  return inputs;
}
