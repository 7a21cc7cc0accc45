import { JsonNumber, type JsonObject } from "../../lib/json-number.js";
import { parseJson } from "../../lib/parse-json.js";
import { CliError } from "../cli-error.js";
import { objectOf, shown } from "../client/api.js";
import { withApi } from "../client/open-api.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { readInputs } from "../read-inputs.js";
import { renderFields } from "../render/fields.js";
import { isUuid } from "../uuid-argument.js";

export interface TaskCreateOptions {
  readonly name: string;
  readonly input: string;
  readonly namespace: string;
  readonly version: string;
  readonly priority: string;
  readonly correlationId?: string;
  readonly idempotencyKey?: string;
}

/** `tasker task create`: a task of a registered template. */
export async function taskCreate(
  context: CommandContext,
  options: TaskCreateOptions,
): Promise<number> {
  const { output } = context;
  const body = await requestBody(context, options);
  const created = objectOf(
    await withApi(context, (api) =>
      api.call("POST", "/v1/tasks", { body, intent: `create the task ${options.name}` }),
    ),
  );
  output.print("Task created successfully!");
  output.print(
    renderFields(
      created,
      ["task_uuid", "name", "namespace", "version", "status", "total_steps", "created_at"],
      output.palette,
    ).join("\n"),
  );
  output.print(`See it with \`tasker task get ${shown(created["task_uuid"])}\``);
  output.json(created);
  return EXIT.ok;
}

async function requestBody(
  context: CommandContext,
  options: TaskCreateOptions,
): Promise<JsonObject> {
  const { correlationId, idempotencyKey } = options;
  const priority = Number(options.priority);
  if (!Number.isInteger(priority) || priority < -100 || priority > 100) {
    throw usage(`--priority ${options.priority}: expected a whole number from -100 to 100`);
  }
  if (correlationId !== undefined && !isUuid(correlationId)) {
    throw usage(`--correlation-id ${correlationId}: expected a UUID`);
  }
  const [text = "{}"] = await readInputs({ input: options.input }, context);
  return {
    name: options.name,
    namespace: options.namespace,
    version: options.version,
    context: parseJson(text),
    initiator: "tasker-ctl",
    source_system: "cli",
    reason: "CLI task creation",
    tags: [],
    priority: new JsonNumber(String(priority)),
    ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
    ...(idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey }),
  };
}

function usage(message: string): CliError {
  return new CliError("USAGE", EXIT.usage, message);
}
