import { readQueueDepths } from "../../db/functions/index.js";
import type { Queryable } from "../../db/index.js";
import { nearestName } from "../../lib/nearest-name.js";
import { CliError } from "../cli-error.js";
import { databaseOnly } from "../client/database-only.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { formatDuration } from "../render/duration.js";
import { renderTable } from "../render/table.js";
import { printable } from "../terminal.js";
import { withPool } from "../with-pool.js";

/** `tasker queue list`: what waits in each queue of steps and results. */
export async function queueList(
  context: CommandContext,
  { namespace }: { readonly namespace?: string },
): Promise<number> {
  const { output } = context;
  databaseOnly(context, "queue list");
  const all = await withPool(context, { needsSchema: true }, (pool) => readQueueDepths(pool));
  const queues = all.filter((queue) => namespace === undefined || queue.namespace === namespace);
  output.json({ queues });
  const rows = queues.map((queue) => [
    queue.queueName,
    String(queue.depth),
    String(queue.visible),
    queue.oldestSeconds === null ? "-" : formatDuration(queue.oldestSeconds * 1000),
  ]);
  output.print(renderTable([["QUEUE", "MESSAGES", "READABLE", "OLDEST"], ...rows]).join("\n"));
  return EXIT.ok;
}

interface MessageRow {
  readonly msg_id: bigint;
  readonly read_ct: number;
  readonly enqueued_at: Date;
  readonly vt: Date;
  readonly message: string;
}

/** `tasker queue peek <queue>`: its oldest messages as they lie there; nothing is taken or hidden. */
export async function queuePeek(
  context: CommandContext,
  { limit }: { readonly limit: number },
  [queue = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  databaseOnly(context, "queue peek");
  const messages = await withPool(context, { needsSchema: true }, async (pool) => {
    const table = await tableOf(pool, queue);
    const { rows } = await pool.query<MessageRow>(
      `select msg_id, read_ct, enqueued_at, vt, message::text as message from ${table} order by msg_id limit $1`,
      [limit],
    );
    return rows;
  });
  output.json({
    queue,
    messages: messages.map((row) => ({ ...row, message: JSON.parse(row.message) })),
  });
  if (messages.length === 0) output.print(`${queue} is empty.`);
  for (const row of messages) {
    const hidden = row.vt.getTime() > Date.now() ? `, hidden until ${row.vt.toISOString()}` : "";
    output.print(
      `${row.msg_id}  since ${row.enqueued_at.toISOString()}, read ${row.read_ct}x${hidden}  ${printable(row.message)}`,
    );
  }
  return EXIT.ok;
}

/** A name from the catalogue, quoted by the database: never the argument itself. */
async function tableOf(db: Queryable, queue: string): Promise<string> {
  const { rows } = await db.query<{ queue_name: string; table: string }>(
    "select queue_name, format('pgmq.%I', 'q_' || lower(queue_name)) as table from pgmq.list_queues()",
  );
  const found = rows.find(({ queue_name }) => queue_name === queue);
  if (found !== undefined) return found.table;
  const near = nearestName(
    queue,
    rows.map(({ queue_name }) => queue_name),
  );
  const hint = near === null ? "" : ` (did you mean \`${near}\`?)`;
  const message = `There is no queue \`${printable(queue)}\`${hint}: \`tasker queue list\` shows all`;
  throw new CliError("QUEUE_NOT_FOUND", EXIT.failed, message);
}
