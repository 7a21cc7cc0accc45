import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderTaskReport } from "../render/task-details.js";
import { loadTaskReport, reportJson } from "../task-report.js";
import { withPool } from "../with-pool.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `tasker task get <uuid>` */
export async function taskGet(
  context: CommandContext,
  _options: object,
  [uuid = ""]: readonly string[],
): Promise<number> {
  if (!UUID.test(uuid)) {
    throw new CliError("USAGE", EXIT.usage, `\`${uuid}\` is not a task id: expected a UUID`);
  }
  const { output } = context;
  const report = await withPool(context, { needsSchema: true }, (pool) =>
    loadTaskReport(pool, uuid),
  );
  output.print(renderTaskReport(report, output.palette, output.stdout.columns || 120));
  output.json(reportJson(report));
  return EXIT.ok;
}
