import type { Queryable } from "../pool.js";
import { interval } from "./routes.js";

export interface HeldStep {
  readonly stepId: bigint;
  readonly token: number;
}

/** `tasker_core.renew_leases`: returns the steps that are not this worker's any more. */
export async function renewLeases(
  db: Queryable,
  workerId: number,
  held: readonly HeldStep[],
  leaseMs: number,
): Promise<bigint[]> {
  const sorted = ascending(held);
  const { rows } = await db.prepared<{ lost_step_id: bigint }>(
    "renew_leases",
    "select * from tasker_core.renew_leases($1, $2, $3, $4)",
    [
      workerId,
      sorted.map((step) => step.stepId.toString()),
      sorted.map((step) => step.token),
      interval(leaseMs),
    ],
  );
  return rows.map((row) => row.lost_step_id);
}

export interface ReleasedStep extends HeldStep {
  /** The step's process died while it ran alone in it: counts towards the limit of deaths. */
  readonly isDeath: boolean;
  /** Its process died at all: from now on it runs alone. */
  readonly isSuspect: boolean;
}

/** `tasker_core.release_steps`: gives lost deliveries back, without counting an attempt. Returns how many were still held. */
export async function releaseSteps(
  db: Queryable,
  released: readonly ReleasedStep[],
): Promise<number> {
  const sorted = ascending(released);
  const { rows } = await db.prepared<{ released: number }>(
    "release_steps",
    "select tasker_core.release_steps($1, $2, $3, $4) as released",
    [
      sorted.map((step) => step.stepId.toString()),
      sorted.map((step) => step.token),
      sorted.map((step) => (step.isDeath ? 1 : 0)),
      sorted.map((step) => step.isSuspect),
    ],
  );
  return rows[0]?.released ?? 0;
}

/** `tasker_core.reconcile_worker`: after a lost reply, makes readable what the server thinks this worker holds and it does not. */
export async function reconcileWorker(
  db: Queryable,
  workerId: number,
  held: readonly HeldStep[],
): Promise<number> {
  const sorted = ascending(held);
  const { rows } = await db.query<{ released: number }>(
    "select tasker_core.reconcile_worker($1, $2, $3) as released",
    [workerId, sorted.map((step) => step.stepId.toString()), sorted.map((step) => step.token)],
  );
  return rows[0]?.released ?? 0;
}

function ascending<Step extends HeldStep>(steps: readonly Step[]): Step[] {
  return [...steps].sort((a, b) => (a.stepId < b.stepId ? -1 : 1));
}
