import type { Queryable } from "../../db/index.js";
import { nearestName } from "../../lib/nearest-name.js";
import { CliError } from "../cli-error.js";
import { databaseOnly } from "../client/database-only.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderTable } from "../render/table.js";
import { printable } from "../terminal.js";
import { withPool } from "../with-pool.js";

interface WorkerRow {
  readonly worker_uuid: string;
  readonly name: string;
  readonly hostname: string;
  readonly pid: number;
  readonly state: "alive" | "silent" | "stopped";
  readonly registered_at: Date;
  readonly last_seen_at: Date;
  readonly running_steps: number;
  readonly callables: readonly string[];
  readonly namespaces: readonly string[];
}

// Alive as claim_unroutable_steps has it. Namespaces: those with a template whose steps it can run.
const WORKERS = `
  select w.worker_uuid, w.name, w.hostname, w.pid, w.registered_at, w.last_seen_at,
    case when w.stopped_at is not null then 'stopped'
      when w.last_seen_at > tasker.now() - interval '30 seconds' then 'alive' else 'silent' end as state,
    (select count(*)::integer from tasker_core.steps s
      where s.worker_id = w.worker_id and s.state = 'in_progress') as running_steps,
    array(select c.name from tasker_core.worker_callables wc
      join tasker_core.callables c using (callable_id) where wc.worker_id = w.worker_id order by 1) as callables,
    array(select distinct n.name::text from tasker_core.worker_callables wc
      join tasker_core.template_steps ts on ts.callable_id = wc.callable_id
      join tasker_core.templates t on t.template_id = ts.template_step_id >> 20
      join tasker_core.namespaces n on n.namespace_id = t.namespace_id
      where wc.worker_id = w.worker_id order by 1) as namespaces
  from tasker_core.workers w
  where $1::text is null or w.worker_uuid::text = $1 or w.name = $1
  order by w.stopped_at is not null, w.last_seen_at desc limit 1000`;

export interface WorkerListOptions {
  readonly namespace?: string;
  /** Those that stopped or fell silent too. */
  readonly all?: boolean;
}

/** `tasker worker list` */
export async function workerList(
  context: CommandContext,
  { namespace, all = false }: WorkerListOptions,
): Promise<number> {
  const { output } = context;
  const workers = (await readWorkers(context, "worker list", null)).filter(
    (worker) =>
      (all || worker.state === "alive") &&
      (namespace === undefined || worker.namespaces.includes(namespace)),
  );
  output.json({ workers });
  if (workers.length === 0) {
    output.print(all ? "No workers." : "No worker is alive. --all shows those that were.");
  } else {
    const rows = workers.map((worker) => [
      printable(worker.name),
      worker.state,
      `${printable(worker.hostname)}:${worker.pid}`,
      String(worker.running_steps),
      String(worker.callables.length),
      worker.last_seen_at.toISOString(),
    ]);
    const header = ["WORKER", "STATE", "HOST:PID", "RUNNING", "HANDLERS", "LAST SEEN"];
    output.print(renderTable([header, ...rows]).join("\n"));
  }
  return EXIT.ok;
}

/** `tasker worker status <id>`: one worker by its id or name; exit code 1 unless it is alive. */
export async function workerStatus(
  context: CommandContext,
  _options: object,
  [id = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const [worker] = await readWorkers(context, "worker status", id);
  if (worker === undefined) throw await unknownWorker(context, id);
  output.print(output.palette.bold(`Worker ${printable(worker.name)}`));
  output.print(`  state       ${worker.state}`);
  output.print(`  id          ${worker.worker_uuid}`);
  output.print(`  process     ${worker.pid} on ${printable(worker.hostname)}`);
  output.print(`  registered  ${worker.registered_at.toISOString()}`);
  output.print(`  last seen   ${worker.last_seen_at.toISOString()}`);
  output.print(`  running     ${worker.running_steps} steps`);
  output.print(`  namespaces  ${worker.namespaces.join(", ") || "-"}`);
  output.print(`  handlers    ${worker.callables.map(printable).join(", ") || "-"}`);
  output.json(worker);
  return worker.state === "alive" ? EXIT.ok : EXIT.failed;
}

export interface WorkerHealthOptions {
  readonly all?: boolean;
}

/** `tasker worker health [id]`: exit code 1 when one of them, or all there are, is not alive. */
export async function workerHealth(
  context: CommandContext,
  { all = false }: WorkerHealthOptions,
  [id]: readonly string[],
): Promise<number> {
  const { output } = context;
  const workers = (await readWorkers(context, "worker health", id ?? null)).filter(
    ({ state }) => all || id !== undefined || state !== "stopped",
  );
  if (id !== undefined && workers.length === 0) throw await unknownWorker(context, id);
  for (const { name, state } of workers) output.print(`${printable(name)}  ${state}`);
  if (workers.length === 0) output.print("No worker has registered and not stopped.");
  output.json({
    workers: workers.map(({ name, worker_uuid, state }) => ({ name, worker_uuid, state })),
  });
  const isWell = workers.length > 0 && workers.every(({ state }) => state !== "silent");
  return isWell ? EXIT.ok : EXIT.failed;
}

async function readWorkers(
  context: CommandContext,
  command: string,
  id: string | null,
): Promise<readonly WorkerRow[]> {
  databaseOnly(context, command);
  const read = async (db: Queryable): Promise<readonly WorkerRow[]> =>
    (await db.query<WorkerRow>(WORKERS, [id])).rows;
  return await withPool(context, { needsSchema: true }, read);
}

async function unknownWorker(context: CommandContext, id: string): Promise<CliError> {
  const names = (await readWorkers(context, "worker status", null)).map(({ name }) => name);
  const near = nearestName(id, names);
  const hint = near === null ? "" : ` (did you mean \`${printable(near)}\`?)`;
  const message = `There is no worker \`${printable(id)}\`${hint}: \`tasker worker list --all\` shows all`;
  return new CliError("WORKER_NOT_FOUND", EXIT.failed, message);
}
