import type { Queryable } from "../pool.js";
import { interval, packBodies, type Routes } from "./routes.js";
import { readTickRows, type TickOutcome } from "./tick-row.js";

/** `0` success, `1` failure that may be retried, `2` permanent failure. */
export type VerdictCode = 0 | 1 | 2;

/** A result on its way into the database. */
export interface StepReport {
  readonly stepId: bigint;
  readonly token: number;
  readonly verdict: VerdictCode;
  readonly executionMs: number;
  /** A server's wish for the delay of the next attempt. */
  readonly hintMs: number | null;
  /** JSON text of the whole step execution result (`contract/wire-types.md` section 2). */
  readonly body: Uint8Array;
  /** What the result creates, as `tasker_core._expand_plans` takes it (JSON text); absent for most. */
  readonly plan?: string;
  /** Domain events to be queued in the transaction that accepts the result; absent for most. */
  readonly events?: readonly QueuedEvent[];
}

/** A domain event on its way to a queue. */
export interface QueuedEvent {
  readonly name: string;
  readonly queue: string;
  /** JSON text of the envelope (`contract/wire-types.md` section 7). */
  readonly message: string;
}

export interface TickInput {
  readonly workerId: number;
  /** At most one per step. */
  readonly reports: readonly StepReport[];
  readonly routes: Routes;
  readonly leaseMs: number;
  /** Due retries to wake at most; 0 leaves them alone. */
  readonly timerLimit: number;
}

const TICK = `select * from tasker_core.tick($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`;
// A statement of its own: calls without events are as they would be if there were none.
const TICK_WITH_EVENTS = `select * from tasker_core.tick($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
  $15, $16, $17, $18)`;

/** `tasker_core.tick`: one turn of a fused host in one commit. */
export async function tick(db: Queryable, input: TickInput): Promise<TickOutcome> {
  const { routes } = input;
  const values = [
    input.workerId,
    ...reportColumns(input.reports),
    routes.callableIds,
    routes.pools,
    routes.free,
    routes.waitingClass,
    interval(input.leaseMs),
    input.timerLimit,
    plansOf(input.reports),
  ];
  const events = eventColumns(input.reports);
  return readTickRows(
    events === null
      ? await db.prepared("tick", TICK, values)
      : await db.prepared("tick_events", TICK_WITH_EVENTS, [...values, ...events]),
  );
}

const SUBMIT = `select * from tasker_core.submit_step_results($1, $2, $3, $4, $5, $6, $7, $8, $9,
  p_idle_in => $10)`;
const SUBMIT_WITH_EVENTS = `select * from tasker_core.submit_step_results($1, $2, $3, $4, $5, $6, $7, $8, $9,
  $11, $12, $13, $10)`;

/**
 * `tasker_core.submit_step_results`: split mode, worker side. A sleeping orchestrator is woken by the commit.
 * @param idleIn asks for a wake-up for these namespaces, like {@link markWorkerIdle}; null when it is not going to sleep
 */
export async function submitStepResults(
  db: Queryable,
  workerId: number,
  reports: readonly StepReport[],
  idleIn: readonly number[] | null = null,
): Promise<TickOutcome> {
  const values = [workerId, ...reportColumns(reports), plansOf(reports), idleIn];
  const events = eventColumns(reports);
  return readTickRows(
    events === null
      ? await db.prepared("submit", SUBMIT, values)
      : await db.prepared("submit_events", SUBMIT_WITH_EVENTS, [...values, ...events]),
  );
}

const PROCESS = `select * from tasker_core.process_step_results($1, $2, $3, $4, $5)`;

/**
 * `tasker_core.process_step_results`: split mode, orchestrator side.
 * @param wake namespaces whose sleeping workers the commit wakes when steps became ready
 * @param isIdle asks for a wake-up unless the page was full, like {@link markWorkerIdle}
 */
export async function processStepResults(
  db: Queryable,
  workerId: number,
  limit: number,
  timerLimit: number,
  wake: readonly number[] | null = null,
  isIdle = false,
): Promise<TickOutcome> {
  const values = [workerId, limit, timerLimit, wake, isIdle];
  return readTickRows(await db.prepared("process", PROCESS, values));
}

function reportColumns(reports: readonly StepReport[]): unknown[] {
  // The functions look steps up by binary search, so they want them in ascending order.
  const sorted = [...reports].sort((a, b) => (a.stepId < b.stepId ? -1 : 1));
  const { bytes, ends } = packBodies(sorted.map((report) => report.body));
  return [
    sorted.map((report) => report.stepId.toString()),
    sorted.map((report) => report.token),
    sorted.map((report) => report.verdict),
    sorted.map((report) => report.executionMs),
    sorted.map((report) => report.hintMs),
    bytes,
    ends,
  ];
}

function plansOf(reports: readonly StepReport[]): string | null {
  const plans = reports.flatMap(({ stepId, plan }) =>
    plan === undefined ? [] : [`"${stepId}":${plan}`],
  );
  return plans.length === 0 ? null : `{${plans.join(",")}}`;
}

function eventColumns(reports: readonly StepReport[]): unknown[] | null {
  const events = reports.flatMap(({ stepId, events }) =>
    (events ?? []).map((event) => ({ ...event, stepId: stepId.toString() })),
  );
  if (events.length === 0) return null;
  return [
    events.map((event) => event.stepId),
    events.map((event) => event.queue),
    events.map((event) => event.message),
  ];
}
