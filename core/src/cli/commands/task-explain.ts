import { withTransaction } from "../../db/index.js";
import { StateError } from "../../errors/index.js";
import { type Explanation, explainTask, readTaskFacts } from "../../lifecycle/explain/index.js";
import { databaseOnly } from "../client/database-only.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { explainSettings } from "../explain-settings.js";
import { type Palette, printable } from "../terminal.js";
import { taskArgument } from "../uuid-argument.js";
import { withPool } from "../with-pool.js";

/** `tasker task explain <uuid>`: why a task is where it is, and what can be done about it. */
export async function taskExplain(
  context: CommandContext,
  _options: object,
  [task = ""]: readonly string[],
): Promise<number> {
  const taskUuid = taskArgument(task);
  const { output } = context;
  databaseOnly(context, "task explain");
  const facts = await withPool(context, { needsSchema: true }, (pool, { config }) =>
    withTransaction(pool, async (db) => {
      // One moment for all of it: a step must not be running in one fact and done in the next.
      await db.query("set transaction isolation level repeatable read read only");
      return await readTaskFacts(db, taskUuid, explainSettings(config));
    }),
  );
  if (facts === null) {
    const message = `There is no task ${taskUuid} in this database`;
    throw new StateError("TASK_NOT_FOUND", message, { context: { taskUuid } });
  }
  const explanation = explainTask(facts);
  output.print(render(explanation, output.palette));
  const { status, summary, reasons, more } = explanation;
  output.json({ task_uuid: taskUuid, status, summary, reasons, more });
  return EXIT.ok;
}

function render({ summary, reasons, more }: Explanation, palette: Palette): string {
  const lines = [palette.bold(printable(summary))];
  for (const { step, text, todo } of reasons) {
    const who = step === null ? "the task" : `step ${printable(step)}`;
    lines.push(`  ${palette.blue(who)} ${printable(text)}`);
    if (todo !== null) lines.push(`    ${palette.dim("to do:")} ${printable(todo)}`);
  }
  for (const [code, n] of Object.entries(more)) lines.push(`  … and ${n} more: ${code}`);
  return lines.join("\n");
}
