import type { Queryable } from "../pool.js";
import { interval, type Routes } from "./routes.js";
import { readTickRows, type TickOutcome } from "./tick-row.js";

export interface ClaimInput {
  readonly workerId: number;
  readonly namespaceIds: readonly number[];
  /** Messages to look at per namespace. */
  readonly limit: number;
  readonly routes: Routes;
  /** Steps claimed by this worker before: the turns of the priority classes go on from there. */
  readonly turn: number;
  readonly leaseMs: number;
  readonly maxDeaths: number;
}

const CLAIM = `select * from tasker_core.claim_steps($1, $2, $3, $4, $5, $6, $7, $8, $9)`;

/** `tasker_core.claim_steps`: takes steps out of the namespaces' queues, expired and released leases included. */
export async function claimSteps(db: Queryable, input: ClaimInput): Promise<TickOutcome> {
  return readTickRows(
    await db.prepared("claim_steps", CLAIM, [
      input.workerId,
      input.namespaceIds,
      input.limit,
      input.routes.callableIds,
      input.routes.pools,
      input.routes.free,
      input.turn,
      interval(input.leaseMs),
      input.maxDeaths,
    ]),
  );
}

export type UnroutableInput = Omit<ClaimInput, "routes" | "turn"> & {
  readonly handlerWaitMs: number;
};

const UNROUTABLE = `select * from tasker_core.claim_unroutable_steps($1, $2, $3, $4, $5, $6)`;

/** `tasker_core.claim_unroutable_steps`: steps that no live worker can run and that have waited long enough. */
export async function claimUnroutableSteps(
  db: Queryable,
  input: UnroutableInput,
): Promise<TickOutcome> {
  return readTickRows(
    await db.prepared("claim_unroutable", UNROUTABLE, [
      input.workerId,
      input.namespaceIds,
      input.limit,
      interval(input.leaseMs),
      input.maxDeaths,
      interval(input.handlerWaitMs),
    ]),
  );
}
