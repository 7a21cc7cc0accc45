import { CliError } from "../cli-error.js";
import { listOf, objectOf, shown } from "../client/api.js";
import { withApi } from "../client/open-api.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderFields } from "../render/fields.js";
import { prettyJson } from "../render/pretty-json.js";
import { renderTable } from "../render/table.js";
import { isUuid, taskArgument } from "../uuid-argument.js";

export interface DlqListOptions {
  readonly status?: string;
  readonly limit: number;
  readonly offset: number;
}

/** `tasker dlq list` */
export async function dlqList(
  context: CommandContext,
  { status, limit, offset }: DlqListOptions,
): Promise<number> {
  const { output } = context;
  const entries = await withApi(context, async (api) =>
    listOf(
      await api.call("GET", "/v1/dlq", {
        query: { resolution_status: status, limit, offset },
        intent: "list the dead letters",
      }),
    ),
  );
  output.json({ entries });
  if (entries.length === 0) output.print("No dead letters.");
  else {
    const rows = entries.map((entry) =>
      ["dlq_entry_uuid", "task_uuid", "dlq_reason", "resolution_status", "dlq_timestamp"].map(
        (name) => shown(entry[name]),
      ),
    );
    output.print(renderTable([["ENTRY", "TASK", "REASON", "STATUS", "SINCE"], ...rows]).join("\n"));
  }
  return EXIT.ok;
}

const FIELDS = [
  ...["dlq_entry_uuid", "task_uuid", "original_state", "dlq_reason", "dlq_timestamp"],
  ...["resolution_status", "resolution_timestamp", "resolution_notes", "resolved_by"],
];

/** `tasker dlq get <task>`: the latest entry of a task. */
export async function dlqGet(
  context: CommandContext,
  _options: object,
  [task = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const taskUuid = taskArgument(task);
  const entry = await withApi(context, async (api) =>
    objectOf(await api.call("GET", `/v1/dlq/task/${taskUuid}`, { intent: "read the dead letter" })),
  );
  output.print(renderFields(entry, FIELDS, output.palette).join("\n"));
  for (const name of ["metadata", "task_snapshot"]) {
    if (entry[name] != null) output.print(`${name}: ${prettyJson(entry[name])}`);
  }
  output.json(entry);
  return EXIT.ok;
}

export interface DlqUpdateOptions {
  readonly status?: string;
  readonly notes?: string;
  readonly resolvedBy?: string;
}

/** `tasker dlq update <entry>` */
export async function dlqUpdate(
  context: CommandContext,
  { status, notes, resolvedBy }: DlqUpdateOptions,
  [entry = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  if (!isUuid(entry)) throw usage(`\`${entry}\` is not the id of a DLQ entry: expected a UUID`);
  if (status === undefined && notes === undefined && resolvedBy === undefined) {
    throw usage("nothing to change: give --status, --notes or --resolved-by");
  }
  const answer = await withApi(context, (api) =>
    api.call("PATCH", `/v1/dlq/entry/${entry}`, {
      body: {
        resolution_status: status ?? null,
        resolution_notes: notes ?? null,
        resolved_by: resolvedBy ?? null,
        metadata: null,
      },
      intent: "update the dead letter",
    }),
  );
  output.print("DLQ entry updated successfully!");
  output.json(answer);
  return EXIT.ok;
}

/** `tasker dlq stats` */
export async function dlqStats(context: CommandContext): Promise<number> {
  const { output } = context;
  const stats = await withApi(context, async (api) =>
    listOf(await api.call("GET", "/v1/dlq/stats", { intent: "count the dead letters" })),
  );
  output.json({ stats });
  if (stats.length === 0) output.print("No dead letters.");
  else {
    const names = [
      "dlq_reason",
      "total_entries",
      "pending",
      "manually_resolved",
      "permanent_failures",
      "cancelled",
      "oldest_entry",
    ];
    const rows = stats.map((row) => names.map((name) => shown(row[name])));
    const header = ["REASON", "ALL", "PENDING", "RESOLVED", "FAILED", "CANCELLED", "OLDEST"];
    output.print(renderTable([header, ...rows]).join("\n"));
  }
  return EXIT.ok;
}

function usage(message: string): CliError {
  return new CliError("USAGE", EXIT.usage, message);
}
