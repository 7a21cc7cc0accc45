import { serverApi } from "../client/open-api.js";
import { remoteGet } from "../client/remote-tasks.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderTaskReport } from "../render/task-details.js";
import { loadTaskReport, reportJson } from "../task-report.js";
import { taskArgument } from "../uuid-argument.js";
import { withPool } from "../with-pool.js";

/** `tasker task get <uuid>` */
export async function taskGet(
  context: CommandContext,
  _options: object,
  [task = ""]: readonly string[],
): Promise<number> {
  const uuid = taskArgument(task);
  const { output } = context;
  const api = serverApi(context);
  if (api !== null) return await remoteGet(context, api, uuid);
  const report = await withPool(context, { needsSchema: true }, (pool) =>
    loadTaskReport(pool, uuid),
  );
  output.print(renderTaskReport(report, output.palette, output.stdout.columns || 120));
  output.json(reportJson(report));
  return EXIT.ok;
}
