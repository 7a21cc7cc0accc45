import pg from "pg";
import { waitFor } from "../../../support/wait-for.js";
import type { Obstacle } from "./points.js";

// Not by pg_blocking_pids: who comes second for a row waits for the first who waits, a renewal perhaps.
const WAITING =
  "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

/** A lock on a row of the one task that is under way: the call that needs the row waits in the server. */
export class Obstruction {
  readonly #client: pg.Client;
  readonly #ending: Obstacle["ending"];

  private constructor(client: pg.Client, ending: Obstacle["ending"]) {
    this.#client = client;
    this.#ending = ending;
  }

  static async raise(url: string, { step, row, ending }: Obstacle): Promise<Obstruction> {
    const client = new pg.Client({ connectionString: url, application_name: "obstruction" });
    await client.connect();
    await client.query("begin");
    await client.query(
      `select from tasker_core.${row}s where ${row}_id = (
         select ${row === "task" ? "step_id >> 20" : "step_id"} from tasker.workflow_steps
         where name = $1 and state = 'in_progress') for update`,
      [step],
    );
    return new Obstruction(client, ending);
  }

  /** Resolves when a pump's or an orchestrator's call waits for the row. */
  async isMet(): Promise<void> {
    const query = `${WAITING} and application_name in ('tasker-pump', 'tasker-orchestrator')`;
    await waitFor(async () => (await this.#client.query(query)).rowCount !== 0, {
      intervalMs: 5,
      describe: "the victim's call to be open in the server",
    });
  }

  /** Lets the waiting calls go on, or ends them with their connections. Resolves when they are through. */
  async remove(): Promise<void> {
    const client = this.#client;
    const { rows } = await client.query<{ pid: number }>(WAITING);
    const pids = rows.map(({ pid }) => pid);
    if (this.#ending === "rolls back") {
      await client.query("select pg_terminate_backend(pid) from unnest($1::int[]) pid", [pids]);
    }
    await client.query("commit");
    const active = "select from pg_stat_activity where pid = any($1) and state = 'active'";
    await waitFor(async () => (await client.query(active, [pids])).rowCount === 0, {
      intervalMs: 5,
      describe: "the victim's calls to end",
    });
    await client.end();
  }
}
