import {
  cancelTasks,
  checkpointSteps,
  claimSteps,
  completeStepManually,
  processStepResults,
  reconcileWorker,
  releaseSteps,
  renewLeases,
  resetStepForRetry,
  resolveStepManually,
  resolveTasks,
  type StepReport,
  submitStepResults,
  type TickOutcome,
  tick,
} from "../../../core/src/db/functions/index.js";
import type { Queryable } from "../../../core/src/db/index.js";
import { SqlHost, type StepOverrides } from "../support/sql-host.js";
import type { Action } from "./commands.js";
import type { Model } from "./model.js";
import {
  type Answer,
  BACKOFF_CAP_MS,
  claimText,
  countersOf,
  LEASE_MS,
  MAX_DEATHS,
  type ModelPlan,
  type ModelReport,
  type ModelStep,
  nameOf,
  type StepSpec,
  type TemplateSpec,
  type WorkerNumber,
} from "./rules.js";

export const NAMESPACE = "model";
const QUEUE = "pgmq.q_worker_model_queue";
const RESULTS = "pgmq.q_orchestration_step_results";
const EPOCH = Date.parse("2026-01-01T00:00:00Z");
const NOTE = { workerId: null, actor: "model", reason: null } as const;

interface Delivery {
  readonly stepId: bigint;
  readonly token: number;
}

/** The database's side of a program: the same actions, answered by the SQL functions. */
export class Subject {
  readonly #db: Queryable;
  readonly #host: SqlHost;
  readonly #taskIds: bigint[] = [];
  /** Numbered as the model's. */
  readonly #deliveries: Delivery[] = [];
  /** By the model's numbers. */
  readonly #workerIds: number[] = [];
  #now = EPOCH;
  #workers = 0;

  private constructor(db: Queryable) {
    this.#db = db;
    this.#host = new SqlHost(db);
  }

  /** Inside the transaction that the caller rolls back: everything here belongs to one program. */
  static async open(db: Queryable, template: TemplateSpec): Promise<Subject> {
    const subject = new Subject(db);
    await subject.#setTime(0);
    await subject.#host.register(
      template.map((step) => step.dependencies),
      {
        namespace: NAMESPACE,
        steps: Object.fromEntries(template.map((_, i) => [i, stepOf(template, i)])),
      },
    );
    subject.#workerIds.push(subject.#host.workerId);
    await subject.#host.join(["work"]);
    subject.#workerIds.push(subject.#host.workerId);
    return subject;
  }

  async run(action: Action): Promise<Answer> {
    const db = this.#db;
    switch (action.kind) {
      case "create": {
        this.#host.workerId = this.#worker(action.worker);
        const outcome = await this.#host.create(action.count, { free: action.free });
        this.#taskIds.push(...outcome.created.map(({ taskId }) => taskId));
        return this.#sent(outcome);
      }
      case "claim": {
        const outcome = await claimSteps(db, {
          workerId: this.#worker(action.worker),
          namespaceIds: [this.#host.namespaceId],
          limit: action.limit,
          routes: this.#host.routes(action.free),
          turn: 0,
          leaseMs: LEASE_MS,
          maxDeaths: MAX_DEATHS,
        });
        return { ...this.#sent(outcome), scanned: outcome.scanned };
      }
      case "tick": {
        const outcome = await tick(db, {
          workerId: this.#worker(action.worker),
          reports: this.#reports(action.reports),
          routes: this.#host.routes(action.free),
          leaseMs: LEASE_MS,
          timerLimit: action.wakesTimers ? 1000 : 0,
        });
        return {
          ...this.#sent(outcome),
          verdicts: this.#verdicts(outcome),
          rested: this.#rested(outcome),
        };
      }
      case "submit": {
        const reports = this.#reports(action.reports);
        const outcome = await submitStepResults(db, this.#worker(action.worker), reports);
        return { ...this.#sent(outcome), verdicts: this.#verdicts(outcome) };
      }
      case "process": {
        const timerLimit = action.wakesTimers ? 1000 : 0;
        const outcome = await processStepResults(db, this.#worker(0), action.limit, timerLimit);
        const { scanned } = outcome;
        return { ...this.#sent(outcome), rested: this.#rested(outcome), scanned };
      }
      case "checkpoint": {
        const body = Buffer.from('{"cursor":1,"items_processed":1,"accumulated_results":null}');
        const outcome = await checkpointSteps(db, {
          workerId: this.#worker(action.worker),
          reports: action.deliveries.map((id) => ({ ...this.#delivery(id), body })),
          leaseMs: LEASE_MS,
          historyLimit: 3,
        });
        return { ...this.#sent(outcome), verdicts: this.#verdicts(outcome) };
      }
      case "advance":
        await this.#setTime(action.ms);
        return {};
      case "release": {
        const { isDeath, isSuspect } = action;
        const released = await releaseSteps(
          db,
          action.deliveries.map((id) => ({ ...this.#delivery(id), isDeath, isSuspect })),
        );
        return { released };
      }
      case "renew": {
        const held = action.deliveries.map((id) => this.#delivery(id));
        const lost = await renewLeases(db, this.#host.workerId, held, LEASE_MS);
        return { lost: lost.map((stepId) => this.#name(stepId)).sort() };
      }
      case "reconcile": {
        const held = action.deliveries.map((id) => this.#delivery(id));
        return { released: await reconcileWorker(db, this.#worker(action.worker), held) };
      }
      case "repair": {
        // Directly: its caller in core wants a transaction of its own.
        const { rows } = await db.prepared<{ repaired: number; results: number }>(
          "model_repair",
          "select repaired, results_repaired as results from tasker_core.reconcile_messages()",
        );
        return { repaired: rows[0]?.repaired, results: rows[0]?.results };
      }
      case "close": {
        const close = action.to === "cancelled" ? cancelTasks : resolveTasks;
        const [closed] = await close(db, {
          ...NOTE,
          taskIds: [this.#taskIds[action.index] as bigint],
        });
        return {
          closed: closed?.wasClosed,
          fromState: closed?.fromState,
          running: closed?.running.map(({ stepId }) => this.#name(stepId)),
        };
      }
      case "act":
        return await this.#act(action);
      case "lose":
        await db.prepared(
          "model_lose",
          `delete from ${QUEUE} where msg_id = (select msg_id from ${QUEUE} order by msg_id offset $1 limit 1)`,
          [action.position],
        );
        return {};
      case "insert":
        await db.prepared(
          "model_insert",
          `insert into ${QUEUE} (vt, message, headers)
           select tasker.now(), jsonb_build_object('task_uuid', r.task_uuid, 'step_uuid',
             tasker_core.step_uuid(r.task_uuid, $1), 'correlation_id', r.correlation_id),
             jsonb_build_object('callable', s.callable_id)
           from tasker_core.task_requests r, tasker_core.steps s where r.task_id = $1::bigint >> 20 and s.step_id = $1`,
          [this.#stepId(action.step)],
        );
        return {};
      case "lose_result":
        await db.prepared(
          "model_lose_result",
          `delete from ${RESULTS} where msg_id = (select msg_id from ${RESULTS} order by msg_id offset $1 limit 1)`,
          [action.position],
        );
        return {};
      case "insert_result":
        await db.prepared(
          "model_insert_result",
          `insert into ${RESULTS} (vt, message)
           select tasker.now(), jsonb_build_object('task_uuid', r.task_uuid, 'step_uuid',
             tasker_core.step_uuid(r.task_uuid, $1), 'correlation_id', r.correlation_id)
           from tasker_core.task_requests r where r.task_id = $1::bigint >> 20`,
          [this.#stepId(action.step)],
        );
        return {};
    }
  }

  /** The state of everything, in the form of {@link snapshotOf}. */
  async snapshot(): Promise<unknown> {
    const { rows } = await this.#db.prepared<{ snapshot: string }>("model_snapshot", SNAPSHOT, [
      new Date(EPOCH).toISOString(),
    ]);
    const raw = JSON.parse(rows[0]?.snapshot ?? "null") as RawSnapshot;
    const tokens = new Map(raw.steps.map(([id, token]) => [BigInt(id), token]));
    const name = ([id, ...rest]: [number, ...unknown[]]): unknown[] => [
      this.#name(BigInt(id)),
      ...rest,
    ];
    return {
      tasks: raw.tasks,
      steps: raw.steps.map(([id, , ...rest]) => name([id, ...rest])),
      messages: raw.messages.map(name),
      results: raw.results.map(name),
      timers: raw.timers.map(name),
      current: this.#deliveries.flatMap(({ stepId, token }, id) =>
        tokens.get(stepId) === token ? [id] : [],
      ),
      wrongCounters: raw.counters,
      wrongDependencies: raw.dependencies,
    };
  }

  async #act({ step, event }: Extract<Action, { kind: "act" }>): Promise<Answer> {
    const input = { ...NOTE, stepId: BigInt(this.#stepId(step)) };
    const result =
      event === "ResetForRetry"
        ? await resetStepForRetry(this.#db, input)
        : event === "ResolveManually"
          ? await resolveStepManually(this.#db, input)
          : await completeStepManually(this.#db, { ...input, body: "{}" });
    if (result.outcome === "step_not_found") return { outcome: result.outcome };
    const { outcome, fromState: from, taskState } = result;
    if (result.outcome !== "done") return { outcome, from, taskState };
    const { toState: to, fromTaskState: fromTask, queued } = result;
    return { outcome, from, to, fromTask, taskState, queued };
  }

  #sent(outcome: TickOutcome): { claims: string[]; queued: number } {
    this.#deliveries.push(...outcome.claims.map(({ stepId, token }) => ({ stepId, token })));
    const claims = outcome.claims.map((claim) =>
      claimText(this.#name(claim.stepId), claim.verdict, claim.attempts, claim.deaths, claim.solo),
    );
    return { claims, queued: outcome.queued };
  }

  async #setTime(ms: number): Promise<void> {
    this.#now += ms;
    await this.#db.query("select set_config('tasker.now', $1, true)", [
      new Date(this.#now).toISOString(),
    ]);
  }

  #reports(reports: readonly ModelReport[]): StepReport[] {
    return reports.map(({ delivery, verdict, hintMs, plan }) => ({
      ...this.#delivery(delivery),
      verdict,
      ...(plan === null ? {} : { plan: this.#planText(plan) }),
      hintMs,
      executionMs: 1,
      body: Buffer.from("{}"),
    }));
  }

  #verdicts(outcome: TickOutcome): string[] {
    return outcome.verdicts.map((v) => `${this.#name(v.stepId)} ${v.status}`).sort();
  }

  #rested(outcome: TickOutcome): string[] {
    return outcome.restedTasks
      .map(({ taskId, state }) => `${this.#taskIds.indexOf(taskId)} ${state}`)
      .sort();
  }

  #worker(number: WorkerNumber): number {
    return this.#workerIds[number] as number;
  }

  #planText({ steps, workers, edges }: ModelPlan): string {
    return JSON.stringify({
      steps,
      workers: workers.map((worker) => {
        this.#workers += 1;
        return { ...worker, name: `worker_${this.#workers}`, inputs: null };
      }),
      edges: edges.map((edge) => ({ ...edge, name: "provides" })),
    });
  }

  #delivery(id: number): Delivery {
    return this.#deliveries[id] as Delivery;
  }

  #name(stepId: bigint): string {
    return `${this.#taskIds.indexOf(stepId >> 20n)}.${stepId & 0xfffffn}`;
  }

  #stepId(step: ModelStep): string {
    return (((this.#taskIds[step.task.index] as bigint) << 20n) | BigInt(step.ordinal)).toString();
  }
}

function stepOf(template: TemplateSpec, ordinal: number): StepOverrides {
  const isInitial = (i: number): boolean => template[i]?.isInitial === true;
  const { maxAttempts, retryable, backoffMs, dependencies } = template[ordinal] as StepSpec;
  return {
    max_attempts: maxAttempts,
    retryable,
    backoff: backoffMs === 0 ? "none" : "linear",
    backoff_base_ms: backoffMs,
    backoff_cap_ms: BACKOFF_CAP_MS,
    // As templates are compiled: edges of the template stand between steps that exist from the start.
    initial: isInitial(ordinal),
    pending_dependencies: isInitial(ordinal) ? dependencies.length : 0,
    children: !isInitial(ordinal)
      ? []
      : [...template.keys()].filter(
          (i) => isInitial(i) && template[i]?.dependencies.includes(ordinal) === true,
        ),
    late_children: template.some((step) => !step.isInitial),
  };
}

interface RawSnapshot {
  readonly tasks: unknown[][];
  readonly steps: [id: number, token: number, ...unknown[]][];
  readonly messages: [id: number, ...unknown[]][];
  readonly results: [id: number][];
  readonly timers: [id: number, ...unknown[]][];
  readonly counters: number;
  readonly dependencies: number;
}

const SNAPSHOT = `
  select json_build_object(
    'tasks', (select coalesce(json_agg(json_build_array(t.state, t.n_total, t.n_complete, t.n_cancelled, t.n_error,
        t.n_pipeline, t.n_waiting_retry) order by t.task_id), '[]') from tasker_core.tasks t),
    'steps', (select coalesce(json_agg(json_build_array(s.step_id, s.lease_token, s.state, s.attempts, s.deaths, s.solo,
        s.pending_dependencies, s.state = 'in_progress' and s.worker_id is not null,
        (extract(epoch from s.leased_until - $1::timestamptz) * 1000)::bigint) order by s.step_id), '[]')
      from tasker_core.steps s),
    'messages', (select coalesce(json_agg(json_build_array(tasker_core.step_id_in(q.message),
        (extract(epoch from q.vt - $1::timestamptz) * 1000)::bigint) order by q.msg_id), '[]') from ${QUEUE} q),
    'results', (select coalesce(json_agg(json_build_array(tasker_core.step_id_in(q.message)) order by q.msg_id), '[]')
      from ${RESULTS} q),
    'timers', (select coalesce(json_agg(json_build_array(t.step_id,
        (extract(epoch from t.due_at - $1::timestamptz) * 1000)::bigint) order by t.step_id), '[]')
      from tasker_core.step_timers t),
    'counters', (select count(*) from tasker_core.recount_tasks()),
    'dependencies', (select count(*) from tasker_core.recount_dependencies()))::text as snapshot`;

/** What {@link Subject.snapshot} has to say. */
export function snapshotOf(model: Model): unknown {
  const { steps } = model;
  return {
    tasks: model.tasks.map((task) => [task.state, ...countersOf(task)]),
    steps: steps.map((step) => [
      nameOf(step),
      step.state,
      step.attempts,
      step.deaths,
      step.solo,
      step.pending,
      step.state === "in_progress" && step.hasHolder,
      step.leasedUntil,
    ]),
    messages: model.messages.map(({ step, vt }) => [nameOf(step), vt]),
    results: model.results.map(({ step }) => [nameOf(step)]),
    timers: steps.flatMap((step) => (step.dueAt === null ? [] : [[nameOf(step), step.dueAt]])),
    current: [...model.deliveries.keys()].filter((delivery) => model.isCurrent(delivery)),
    wrongCounters: 0,
    wrongDependencies: 0,
  };
}
