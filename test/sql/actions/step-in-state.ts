import {
  cancelTasks,
  resolveStepManually,
  submitStepResults,
} from "../../../core/src/db/functions/index.js";
import type { StepState } from "../../../core/src/state-machine/index.js";
import { type Shape, SqlHost } from "../support/sql-host.js";

/** One step before the subject, one after it. */
const CHAIN: Shape = [[], [0], [1]];
export const SUBJECT = 1;
export const CHILD = 2;

export const NOTE = { workerId: null, actor: "ada", reason: "because" } as const;

export interface Subject {
  readonly host: SqlHost;
  readonly taskId: bigint;
  readonly stepId: bigint;
  /** Its lease, where it has or had one. */
  readonly claim: { readonly stepId: bigint; readonly token: number };
}

export async function chainHost(db: SqlHost["db"]): Promise<SqlHost> {
  const slow = { backoff: "linear", backoff_base_ms: 60_000, backoff_cap_ms: 60_000 };
  return await new SqlHost(db).register(CHAIN, { steps: { [SUBJECT]: slow } });
}

/** A task whose middle step is in the given state, brought there by the calls that hosts make. */
export async function stepIn(host: SqlHost, state: StepState): Promise<Subject> {
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const stepId = (taskId << 20n) | BigInt(SUBJECT);
  const subject = (token: number): Subject => ({ host, taskId, stepId, claim: { stepId, token } });
  if (state === "pending") return subject(1);
  const ready = await host.tick(created.claims, { free: state === "enqueued" ? 0 : 1000 });
  const token = ready.claims[0]?.token ?? 0;
  const report = { stepId, token, executionMs: 1, hintMs: null, body: Buffer.from("{}") } as const;
  switch (state) {
    case "enqueued":
    case "in_progress":
      break;
    case "enqueued_for_orchestration":
      await submitStepResults(host.db, host.workerId, [{ ...report, verdict: 0 }]);
      break;
    case "enqueued_as_error_for_orchestration":
      await submitStepResults(host.db, host.workerId, [{ ...report, verdict: 2 }]);
      break;
    case "complete":
      await host.tick(ready.claims);
      break;
    case "waiting_for_retry":
      await host.tick(ready.claims, { verdict: 1 });
      break;
    case "error":
      await host.tick(ready.claims, { verdict: 2 });
      break;
    case "cancelled":
      await cancelTasks(host.db, { ...NOTE, taskIds: [taskId] });
      break;
    case "resolved_manually":
      await resolveStepManually(host.db, { ...NOTE, stepId });
      break;
  }
  return subject(token);
}

export async function stepRow(host: SqlHost, stepId: bigint) {
  const { rows } = await host.db.query<{
    state: string;
    attempts: number;
    deaths: number;
    solo: boolean;
    lease_token: number;
    pending_dependencies: number;
    message_id: bigint | null;
  }>(
    `select state::text, attempts, deaths, solo, lease_token, pending_dependencies, message_id
     from tasker_core.steps where step_id = $1`,
    [stepId.toString()],
  );
  return rows[0];
}

/** How many messages and timers a task's steps still have. */
export async function leftovers(host: SqlHost, taskId: bigint) {
  const { rows } = await host.db.query<{ messages: bigint; timers: bigint }>(
    `select (select count(*) from pgmq.q_worker_shapes_queue q
        where tasker_core.step_id_in(q.message) >> 20 = $1) as messages,
       (select count(*) from tasker_core.step_timers t where t.step_id >> 20 = $1) as timers`,
    [taskId.toString()],
  );
  return { messages: Number(rows[0]?.messages), timers: Number(rows[0]?.timers) };
}
