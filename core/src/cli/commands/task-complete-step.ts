import { messageOf } from "../../errors/index.js";
import type { JsonValue } from "../../lib/json-number.js";
import { parseJson } from "../../lib/parse-json.js";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { DEFAULT_ACTOR, runStepAction } from "../step-action.js";

export interface CompleteStepOptions {
  readonly result: string;
  readonly metadata?: string;
  readonly reason?: string;
  readonly completedBy?: string;
}

/** `tasker task complete-step <task> <step> --result <json>` */
export async function taskCompleteStep(
  context: CommandContext,
  options: CompleteStepOptions,
  args: readonly string[],
): Promise<number> {
  const { reason, completedBy: actor = DEFAULT_ACTOR } = options;
  const result = readJson("--result", options.result);
  const metadata =
    options.metadata === undefined ? undefined : readJson("--metadata", options.metadata);
  return await runStepAction(
    context,
    args,
    {
      done: "completed",
      body: {
        action_type: "complete_manually",
        completion_data: { result, ...(metadata === undefined ? {} : { metadata }) },
        reason: reason ?? "",
        completed_by: actor,
      },
    },
    (operator, task, step) =>
      operator.completeStep(task, step, { result, metadata, actor, reason }),
  );
}

function readJson(option: string, text: string): JsonValue {
  try {
    return parseJson(text);
  } catch (error) {
    const message = `The value of ${option} is not JSON: ${messageOf(error)}`;
    throw new CliError("INPUT_INVALID", EXIT.usage, message);
  }
}
