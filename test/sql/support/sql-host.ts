import {
  type ClaimedStep,
  claimSteps,
  claimUnroutableSteps,
  createTasks,
  type PriorityClass,
  registerTemplate,
  registerWorker,
  type StepReport,
  type TickOutcome,
  tick,
  type VerdictCode,
} from "../../../core/src/db/functions/index.js";
import type { Queryable } from "../../../core/src/db/index.js";
import { newUuid } from "../../../core/src/lib/uuid.js";

/** Steps of a template by the ordinals of their dependencies, in topological order. */
export type Shape = readonly (readonly number[])[];

export const LINEAR: Shape = [[], [0], [1], [2]];
export const DIAMOND: Shape = [[], [0], [0], [1, 2]];

export interface StepOverrides {
  readonly callable?: string;
  readonly max_attempts?: number;
  readonly retryable?: boolean;
  readonly backoff?: string;
  readonly backoff_base_ms?: number;
  readonly backoff_cap_ms?: number;
  readonly backoff_multiplier?: number;
  readonly backoff_jitter?: number;
  readonly initial?: boolean;
  readonly pending_dependencies?: number;
  readonly children?: readonly number[];
  readonly late_children?: boolean;
}

/** A fused host reduced to its SQL calls: what TypeScript decides is decided by the test instead. */
export class SqlHost {
  readonly db: Queryable;
  workerId = 0;
  templateId = 0;
  namespaceId = 0;
  /** Highest class known to wait in queues, see `Routes`. */
  waitingClass: PriorityClass = 0;
  /** Steps claimed so far. */
  turn = 0;
  #callableIds: number[] = [];

  constructor(db: Queryable) {
    this.db = db;
  }

  async register(
    shape: Shape,
    options: {
      readonly namespace?: string;
      readonly steps?: Readonly<Record<number, StepOverrides>>;
    } = {},
  ): Promise<this> {
    const name = `shape_${newUuid().slice(-8)}`;
    const steps = shape.map((dependencies, ordinal) => ({
      ordinal,
      name: `step_${ordinal}`,
      callable: "work",
      type: "standard",
      initial: true,
      pending_dependencies: dependencies.length,
      dependencies,
      children: shape.flatMap((parents, child) => (parents.includes(ordinal) ? [child] : [])),
      retryable: true,
      max_attempts: 3,
      backoff: "none",
      backoff_base_ms: 0,
      backoff_cap_ms: 30_000,
      backoff_multiplier: 2,
      backoff_jitter: 0,
      inputs: null,
      late_children: false,
      ...options.steps?.[ordinal],
    }));
    const payload = {
      namespace: options.namespace ?? "shapes",
      name,
      version: "1.0.0",
      description: null,
      identity_strategy: "always_unique",
      content_hash: name,
      configuration: {},
      steps,
    };
    const ids = await registerTemplate(
      this.db,
      JSON.stringify(payload),
      Array.from({ length: steps.length + 2 }, newUuid),
    );
    this.templateId = ids.templateId;
    this.namespaceId = ids.namespaceId;
    await this.join(["work"]);
    return this;
  }

  async join(callables: readonly string[]): Promise<void> {
    const worker = { workerUuid: newUuid(), name: "sql", hostname: "test", pid: 1 };
    const registered = await registerWorker(this.db, worker, callables);
    this.workerId = registered.workerId;
    this.#callableIds = [...registered.callableIds].sort((a, b) => a - b);
  }

  async create(
    count: number,
    options: { free?: number; hashes?: string[]; priority?: number; wake?: number[] } = {},
  ) {
    const tasks = Array.from({ length: count }, (_, i) => ({
      taskUuid: newUuid(),
      templateId: this.templateId,
      identityHash: options.hashes?.[i] ?? newUuid(),
      correlationId: newUuid(),
      parentCorrelationId: null,
      priority: options.priority ?? 0,
      initiator: "test",
      sourceSystem: "test",
      reason: "test",
      context: Buffer.from(`{"n":${i}}`),
      tags: Buffer.from("[]"),
    }));
    return await createTasks(
      this.db,
      this.workerId,
      tasks,
      this.routes(options.free ?? 1000),
      10_000,
      options.wake ?? null,
    );
  }

  async tick(
    claims: readonly Pick<ClaimedStep, "stepId" | "token">[],
    options: {
      verdict?: VerdictCode;
      free?: number;
      timerLimit?: number;
      hintMs?: number;
      body?: string;
      /** As `_expand_plans` takes it, for every claim. */
      plan?: unknown;
    } = {},
  ): Promise<TickOutcome> {
    const reports = claims.map(
      ({ stepId, token }): StepReport => ({
        stepId,
        token,
        verdict: options.verdict ?? 0,
        executionMs: 1,
        hintMs: options.hintMs ?? null,
        body: Buffer.from(options.body ?? `{"success":true,"result":{"step":"${stepId}"}}`),
        ...(options.plan === undefined ? {} : { plan: JSON.stringify(options.plan) }),
      }),
    );
    return await tick(this.db, {
      workerId: this.workerId,
      reports,
      routes: this.routes(options.free ?? 1000),
      leaseMs: 10_000,
      timerLimit: options.timerLimit ?? 0,
    });
  }

  async claim(
    options: { free?: number | readonly number[]; limit?: number; leaseMs?: number } = {},
  ) {
    const outcome = await claimSteps(this.db, {
      workerId: this.workerId,
      turn: this.turn,
      namespaceIds: [this.namespaceId],
      limit: options.limit ?? 100,
      routes: this.routes(options.free ?? 1000),
      leaseMs: options.leaseMs ?? 10_000,
      maxDeaths: 3,
    });
    this.turn += outcome.claims.length;
    return outcome;
  }

  async claimUnroutable(handlerWaitMs: number) {
    return await claimUnroutableSteps(this.db, {
      workerId: this.workerId,
      namespaceIds: [this.namespaceId],
      limit: 100,
      leaseMs: 10_000,
      maxDeaths: 3,
      handlerWaitMs,
    });
  }

  /** Runs until nothing is handed out any more; returns how many steps it took. */
  async finish(first: TickOutcome): Promise<{ steps: number; rested: TickOutcome["restedTasks"] }> {
    let claims = first.claims;
    let steps = 0;
    const rested = [...first.restedTasks];
    while (claims.length > 0) {
      const outcome = await this.tick(claims);
      steps += claims.length;
      rested.push(...outcome.restedTasks);
      claims = outcome.claims;
    }
    return { steps, rested };
  }

  /** One pool for all callables, or one per callable when `free` lists them in the order of their ids. */
  routes(free: number | readonly number[]) {
    return {
      callableIds: this.#callableIds,
      pools: this.#callableIds.map((_, i) => (typeof free === "number" ? 1 : i + 1)),
      free: typeof free === "number" ? [free] : free,
      waitingClass: this.waitingClass,
    };
  }

  async states(taskId: bigint): Promise<string[]> {
    const { rows } = await this.db.query<{ state: string }>(
      "select state::text from tasker_core.steps where step_id >> 20 = $1 order by step_id",
      [taskId.toString()],
    );
    return rows.map((row) => row.state);
  }

  async taskState(taskId: bigint): Promise<string> {
    const { rows } = await this.db.query<{ state: string }>(
      "select state::text from tasker_core.tasks where task_id = $1",
      [taskId.toString()],
    );
    return rows[0]?.state ?? "missing";
  }
}

/** Fails when a counter differs from its steps, a log names an unknown move, or a row has lost its parent. */
export async function assertIntegrity(db: Queryable): Promise<void> {
  const { rows: counters } = await db.query("select * from tasker_core.recount_tasks()");
  const { rows: dependencies } = await db.query("select * from tasker_core.recount_dependencies()");
  const { rows: moves } = await db.query(
    `select l.task_id, l.from_state, l.to_state from tasker_core.task_log l
     where not exists (select from tasker_core.task_moves m
       where m.from_state is not distinct from l.from_state and m.to_state = l.to_state)
     union all
     select l.step_id, null, null from tasker_core.step_log l
     where not exists (select from tasker_core.step_moves m where m.move = l.move)`,
  );
  const { rows: orphans } = await db.query(
    `select s.step_id from tasker_core.steps s
     where not exists (select from tasker_core.tasks t where t.task_id = s.step_id >> 20)
     union all select x.step_id from (
       select r.step_id from tasker_core.step_results r
       union all select c.step_id from tasker_core.step_checkpoints c
       union all select t.step_id from tasker_core.step_timers t
       union all select e.from_id from tasker_core.step_edges e
       union all select e.to_id from tasker_core.step_edges e) x(step_id)
     where not exists (select from tasker_core.steps s where s.step_id = x.step_id)
     union all select x.task_id from (
       select r.task_id from tasker_core.task_requests r
       union all select i.task_id from tasker_core.task_identities i
       union all select d.task_id from tasker_core.tasks_dlq d
       union all select a.task_id from tasker_core.operator_actions a) x(task_id)
     where not exists (select from tasker_core.tasks t where t.task_id = x.task_id)
     union all select t.task_id from tasker_core.tasks t
     where not exists (select from tasker_core.task_requests r where r.task_id = t.task_id)`,
  );
  const { rows: breaks } = await db.query(
    `select * from (
       select workflow_step_uuid, from_state, to_state,
         lag(to_state) over (partition by workflow_step_uuid order by sort_key) as previous
       from tasker.workflow_step_transitions) x
     where from_state is not null and not exists (
       select from tasker_core.step_transition_rules r
       where r.from_state::text = x.from_state and r.to_state::text = x.to_state)`,
  );
  const findings = { counters, dependencies, moves, orphans, breaks };
  const wrong = Object.entries(findings)
    .filter(([, rows]) => rows.length > 0)
    .map(([finding, rows]) => [finding, rows.length, rows.slice(0, 20)]);
  if (wrong.length > 0) {
    const text = JSON.stringify(wrong, (_, value) =>
      typeof value === "bigint" ? `${value}` : value,
    );
    throw new Error(`referential integrity is broken: ${text}`);
  }
}
