import type { Queryable } from "../pool.js";

/** Who acts, and why: kept in `tasker_core.operator_actions`. */
export interface OperatorNote {
  readonly actor: string;
  readonly reason: string | null;
}

export interface CloseTasksInput extends OperatorNote {
  /** The host that acts; null for a command line. */
  readonly workerId: number | null;
  readonly taskIds: readonly bigint[];
}

export interface ClosedTask {
  readonly taskId: bigint;
  /** False when the task was final already. */
  readonly wasClosed: boolean;
  /** The state it was in. */
  readonly fromState: string;
  /** Steps that were running, and where. */
  readonly running: readonly { readonly stepId: bigint; readonly workerId: number }[];
}

/** `tasker_core.cancel_tasks`. Tasks that do not exist are absent from the answer. */
export async function cancelTasks(db: Queryable, input: CloseTasksInput): Promise<ClosedTask[]> {
  return await closeTasks(db, "cancel_tasks", input);
}

/** `tasker_core.resolve_tasks`. Tasks that do not exist are absent from the answer. */
export async function resolveTasks(db: Queryable, input: CloseTasksInput): Promise<ClosedTask[]> {
  return await closeTasks(db, "resolve_tasks", input);
}

async function closeTasks(
  db: Queryable,
  name: "cancel_tasks" | "resolve_tasks",
  input: CloseTasksInput,
): Promise<ClosedTask[]> {
  const { rows } = await db.query<{
    task_id: bigint;
    closed: boolean;
    from_state: string;
    running_step_ids: bigint[];
    running_worker_ids: number[];
  }>(
    `select task_id, closed, from_state::text, running_step_ids, running_worker_ids
     from tasker_core.${name}($1, $2, $3, $4)`,
    [input.workerId, input.taskIds.map(String), input.actor, input.reason],
  );
  return rows.map((row) => ({
    taskId: row.task_id,
    wasClosed: row.closed,
    fromState: row.from_state,
    running: row.running_step_ids.map((stepId, i) => ({
      stepId,
      workerId: row.running_worker_ids[i] ?? 0,
    })),
  }));
}

export interface StepActionInput extends OperatorNote {
  readonly workerId: number | null;
  readonly stepId: bigint;
}

export type StepActionResult =
  | { readonly outcome: "step_not_found" }
  | {
      /** The step's state does not allow it; or it does, but the task is final and would never run the step. */
      readonly outcome: "step_refuses" | "task_is_final";
      readonly fromState: string;
      readonly taskState: string;
    }
  | {
      readonly outcome: "done";
      readonly fromState: string;
      /** What the action made of the step; it may have been enqueued since. */
      readonly toState: string;
      readonly fromTaskState: string;
      readonly taskState: string;
      /** Steps that are in the queue of their namespace now. */
      readonly queued: number;
      readonly namespaceId: number;
      /** Who was running the step. */
      readonly runningWorkerId: number | null;
    };

/** `tasker_core.reset_step_for_retry`: from `error` only. */
export async function resetStepForRetry(
  db: Queryable,
  input: StepActionInput,
): Promise<StepActionResult> {
  return await actOnStep(db, "reset_step_for_retry($1, $2, $3, $4)", valuesOf(input));
}

/** `tasker_core.resolve_step_manually`: from any state. */
export async function resolveStepManually(
  db: Queryable,
  input: StepActionInput,
): Promise<StepActionResult> {
  return await actOnStep(db, "resolve_step_manually($1, $2, $3, $4)", valuesOf(input));
}

/**
 * `tasker_core.complete_step_manually`: from any state. `body` is JSON text of a step execution result; `plan` what it
 * creates, as `_expand_plans` takes it.
 */
export async function completeStepManually(
  db: Queryable,
  input: StepActionInput & { readonly body: string; readonly plan?: string | null },
): Promise<StepActionResult> {
  const values = [...valuesOf(input), input.body, input.plan ?? null];
  return await actOnStep(db, "complete_step_manually($1, $2, $3, $4, $5, $6)", values);
}

function valuesOf({ workerId, stepId, actor, reason }: StepActionInput): unknown[] {
  return [workerId, stepId.toString(), actor, reason];
}

async function actOnStep(
  db: Queryable,
  call: string,
  values: readonly unknown[],
): Promise<StepActionResult> {
  const { rows } = await db.query<{
    outcome: StepActionResult["outcome"];
    from_state: string;
    to_state: string;
    from_task_state: string;
    task_state: string;
    queued: number;
    namespace_id: number;
    running_worker_id: number | null;
  }>(
    `select outcome, from_state::text, to_state::text, from_task_state::text, task_state::text, queued, namespace_id,
       running_worker_id
     from tasker_core.${call}`,
    values,
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`tasker_core.${call} returned no row`);
  const { outcome, from_state: fromState, task_state: taskState } = row;
  if (outcome === "step_not_found") return { outcome };
  if (outcome !== "done") return { outcome, fromState, taskState };
  return {
    outcome,
    fromState,
    toState: row.to_state,
    fromTaskState: row.from_task_state,
    taskState,
    queued: row.queued,
    namespaceId: row.namespace_id,
    runningWorkerId: row.running_worker_id,
  };
}

/** Which step of which template revision a step was made from; null when there is no such step. */
export async function findStepTemplate(
  db: Queryable,
  stepId: bigint,
): Promise<{ templateId: number; ordinal: number } | null> {
  const { rows } = await db.query<{ template_step_id: bigint }>(
    "select template_step_id from tasker_core.steps where step_id = $1",
    [stepId.toString()],
  );
  const [row] = rows;
  if (row === undefined) return null;
  return {
    templateId: Number(row.template_step_id >> 20n),
    ordinal: Number(row.template_step_id & 0xfffffn),
  };
}

/**
 * Internal ids of a task, and of a step when one is named; null when there is no such task. `stepId` is null when the step
 * cannot be one of the task's; that it exists is for the function that acts on it to say.
 */
export async function findStepIds(
  db: Queryable,
  taskUuid: string,
  stepUuid: string | null,
): Promise<{ taskId: bigint; stepId: bigint | null } | null> {
  const { rows } = await db.query<{ task_id: bigint; step_id: bigint | null }>(
    `select r.task_id, case when tasker_core.step_uuid(r.task_uuid, s.step_id) = $2 then s.step_id end as step_id
     from tasker_core.task_requests r, lateral (select tasker_core.step_id_of($2) as step_id) s
     where r.task_uuid = $1`,
    [taskUuid, stepUuid],
  );
  const [row] = rows;
  if (row === undefined) return null;
  const isOwn = row.step_id !== null && row.step_id >> 20n === row.task_id;
  return { taskId: row.task_id, stepId: isOwn ? row.step_id : null };
}
