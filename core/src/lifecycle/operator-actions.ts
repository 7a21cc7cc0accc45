import {
  type ClosedTask,
  cancelTasks,
  completeStepManually,
  findStepIds,
  resetStepForRetry,
  resolveStepManually,
  resolveTasks,
  type StepActionResult,
  wakeIdleWorkers,
} from "../db/functions/index.js";
import { type Pool, type Queryable, withTransaction } from "../db/index.js";
import { messageOf, StateError } from "../errors/index.js";
import type { JsonValue } from "../lib/json-number.js";
import { STEP_TRANSITIONS, type StepState } from "../state-machine/index.js";
import type { StepAction } from "./events/index.js";
import { manualPlan } from "./manual-plan.js";
import { manualResultBody } from "./manual-result.js";
import type { PlanLimits } from "./plans/index.js";
import { TemplateRegistry } from "./template-registry.js";

/** Who acts, and why. */
export interface OperatorRemark {
  /** Default `operator`. */
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
}

export interface ManualCompletion extends OperatorRemark {
  readonly result: JsonValue;
  readonly metadata?: JsonValue | undefined;
  /** Whom the result names; default the actor. */
  readonly completedBy?: string;
}

/** The task is closed. */
export interface TaskClosed {
  readonly taskUuid: string;
  readonly fromState: string;
  readonly state: "cancelled" | "resolved_manually";
  /** Steps whose handlers were running; their workers have been told. */
  readonly runningSteps: number;
}

/** The step is what the action made of it, and its task has gone on from there. */
export interface StepActedOn {
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly fromState: string;
  readonly toState: string;
  readonly fromTaskState: string;
  readonly taskState: string;
  /** Steps that this made runnable, the step itself included. */
  readonly queuedSteps: number;
  /** Why a decision or batch outcome in the given result created nothing; null when there was none. */
  readonly warning: string | null;
}

/** The host that acts, when a host does: what it runs itself need not hear of it from the database. */
export interface ActingHost {
  readonly workerId: number;
  /** Steps that this host runs were taken away. */
  readonly stopSteps: (stepIds: readonly bigint[], reason: "task_cancelled" | "lease_lost") => void;
  readonly onTaskRested: (taskId: bigint, state: string) => void;
  readonly onTaskClosed: (taskId: bigint, state: string) => void;
  /** What it answers is called once the step has been acted on, with the result it was given. */
  readonly beforeStepAction: (
    taskId: bigint,
    stepUuid: string,
    action: StepAction,
  ) => Promise<(result?: JsonValue) => void>;
  readonly onStepsQueued: () => void;
}

export interface OperatorActionsDeps {
  readonly pool: Pool;
  /** What a result given by hand may create. */
  readonly plans: PlanLimits;
  /** Whether a result given by hand must match its step's `result_schema`. Default true. */
  readonly enforceResultSchemas?: boolean;
  /** Default: one of its own, which reads what it needs from the database. */
  readonly templates?: TemplateRegistry;
  /** Absent for a command line, which runs nothing; undefined while the host does not run. */
  readonly host?: () => ActingHost | undefined;
}

const EVENTS = {
  reset: "ResetForRetry",
  resolve: "ResolveManually",
  complete: "CompleteManually",
} as const;

/**
 * What operators do by hand: end a task, or act on a step so that its task can go on (`contract/states.md` section 8).
 * Each is one transaction with an entry in `tasker_core.operator_actions`. All of them throw StateError TASK_NOT_FOUND,
 * STEP_NOT_FOUND, or INVALID_TRANSITION with the state and what it accepts.
 */
export class OperatorActions {
  readonly #deps: OperatorActionsDeps;
  readonly #templates: TemplateRegistry;

  constructor(deps: OperatorActionsDeps) {
    this.#deps = deps;
    this.#templates = deps.templates ?? new TemplateRegistry(deps.pool);
  }

  /** Every step that is not final is cancelled, running handlers are told to stop, and the task is cancelled. */
  async cancelTask(taskUuid: string, remark: OperatorRemark = {}): Promise<TaskClosed> {
    return await this.#close(taskUuid, remark, cancelTasks, "cancelled", "Cancel");
  }

  /** The task was dealt with elsewhere: nothing of it runs any more; failed steps keep their state. */
  async resolveTask(taskUuid: string, remark: OperatorRemark = {}): Promise<TaskClosed> {
    return await this.#close(
      taskUuid,
      remark,
      resolveTasks,
      "resolved_manually",
      "ResolveManually",
    );
  }

  /** A step in `error` gets all of its attempts anew. */
  async resetStep(
    taskUuid: string,
    stepUuid: string,
    remark: OperatorRemark = {},
  ): Promise<StepActedOn> {
    return await this.#act("reset", taskUuid, stepUuid, (db, stepId) =>
      resetStepForRetry(db, { ...this.#note(remark), stepId }),
    );
  }

  /** The step counts as done, from any state; dependents see whatever result it had. */
  async resolveStep(
    taskUuid: string,
    stepUuid: string,
    remark: OperatorRemark = {},
  ): Promise<StepActedOn> {
    return await this.#act("resolve", taskUuid, stepUuid, (db, stepId) =>
      resolveStepManually(db, { ...this.#note(remark), stepId }),
    );
  }

  /**
   * The step is complete with the given result, from any state. A result it had is replaced. What the result of a decision
   * or of a batchable step calls for is created with it, unless the task is final.
   * @throws StateError RESULT_INVALID when the result does not match the step's `result_schema`; PLAN_IMPOSSIBLE when it calls for steps that cannot be created
   */
  async completeStep(
    taskUuid: string,
    stepUuid: string,
    completion: ManualCompletion,
  ): Promise<StepActedOn> {
    const note = this.#note(completion);
    const { result, metadata } = completion;
    const body = manualResultBody(
      {
        stepUuid,
        result,
        metadata,
        completedBy: completion.completedBy ?? note.actor,
        reason: note.reason,
      },
      new Date(),
    );
    let warning: string | null = null;
    const complete = async (db: Queryable, stepId: bigint): Promise<StepActionResult> => {
      const deps = {
        db,
        templates: this.#templates,
        limits: this.#deps.plans,
        enforceSchemas: this.#deps.enforceResultSchemas ?? true,
      };
      const made = await manualPlan(deps, stepId, result);
      warning = made.warning;
      return await completeStepManually(db, { ...note, stepId, body, plan: made.plan });
    };
    const acted = await this.#act("complete", taskUuid, stepUuid, complete, result);
    return { ...acted, warning };
  }

  #note({ actor = "operator", reason }: OperatorRemark) {
    return { actor, reason: reason ?? null, workerId: this.#deps.host?.()?.workerId ?? null };
  }

  async #close(
    taskUuid: string,
    remark: OperatorRemark,
    close: typeof cancelTasks,
    state: TaskClosed["state"],
    event: string,
  ): Promise<TaskClosed> {
    const { taskId } = await this.#find(taskUuid, null);
    const [closed] = await withTransaction(this.#deps.pool, (db) =>
      close(db, { ...this.#note(remark), taskIds: [taskId] }),
    );
    if (closed === undefined) throw taskNotFound(taskUuid);
    const { fromState } = closed;
    if (!closed.wasClosed) throw finalTask(taskUuid, fromState, event);
    this.#stopHere(closed, "task_cancelled");
    this.#deps.host?.()?.onTaskClosed(taskId, state);
    return { taskUuid, fromState, state, runningSteps: closed.running.length };
  }

  async #act(
    action: StepAction,
    taskUuid: string,
    stepUuid: string,
    call: (db: Queryable, stepId: bigint) => Promise<StepActionResult>,
    given?: JsonValue,
  ): Promise<StepActedOn> {
    const { taskId, stepId } = await this.#find(taskUuid, stepUuid);
    if (stepId === null) throw stepNotFound(taskUuid, stepUuid);
    const tell = await this.#deps.host?.()?.beforeStepAction(taskId, stepUuid, action);
    const result = await withTransaction(this.#deps.pool, (db) => call(db, stepId)).catch(
      (error: unknown) => {
        // Raised by _expand_plans: two analyzers share a worker template and gave the same batch_id.
        if ((error as { code?: unknown } | null)?.code !== "22023") throw error;
        throw new StateError(
          "PLAN_IMPOSSIBLE",
          `Step ${stepUuid} of task ${taskUuid} was not completed: ${messageOf(error)}`,
          { cause: error, context: { taskUuid, stepUuid } },
        );
      },
    );
    if (result.outcome === "step_not_found") throw stepNotFound(taskUuid, stepUuid);
    if (result.outcome !== "done") throw refusal(action, taskUuid, stepUuid, result);
    tell?.(given);
    await this.#after(taskId, stepId, result);
    const { fromState, toState, fromTaskState, taskState, queued: queuedSteps } = result;
    return {
      taskUuid,
      stepUuid,
      fromState,
      toState,
      fromTaskState,
      taskState,
      queuedSteps,
      warning: null,
    };
  }

  async #after(
    taskId: bigint,
    stepId: bigint,
    result: Extract<StepActionResult, { outcome: "done" }>,
  ): Promise<void> {
    const host = this.#deps.host?.();
    const { runningWorkerId, queued, namespaceId, taskState, fromTaskState } = result;
    if (runningWorkerId !== null) {
      this.#stopHere({ running: [{ stepId, workerId: runningWorkerId }] }, "lease_lost");
    }
    if (queued > 0) {
      host?.onStepsQueued();
      // After the commit, as DATABASE section 4 wants it. A hint: without it the step waits for a poll.
      await wakeIdleWorkers(this.#deps.pool, host?.workerId ?? 0, [namespaceId]).catch(() => 0);
    }
    if (taskState === "complete" && fromTaskState !== "complete") {
      host?.onTaskRested(taskId, taskState);
    }
  }

  #stopHere({ running }: Pick<ClosedTask, "running">, reason: "task_cancelled" | "lease_lost") {
    const host = this.#deps.host?.();
    const own = running.filter(({ workerId }) => workerId === host?.workerId);
    if (own.length > 0) {
      host?.stopSteps(
        own.map(({ stepId }) => stepId),
        reason,
      );
    }
  }

  async #find(
    taskUuid: string,
    stepUuid: string | null,
  ): Promise<{ taskId: bigint; stepId: bigint | null }> {
    const found = await findStepIds(this.#deps.pool, taskUuid, stepUuid);
    if (found === null) throw taskNotFound(taskUuid);
    return found;
  }
}

function taskNotFound(taskUuid: string): StateError {
  return new StateError("TASK_NOT_FOUND", `There is no task ${taskUuid}`, {
    context: { taskUuid },
  });
}

function stepNotFound(taskUuid: string, stepUuid: string): StateError {
  return new StateError("STEP_NOT_FOUND", `Task ${taskUuid} has no step ${stepUuid}`, {
    context: { taskUuid, stepUuid },
  });
}

function finalTask(taskUuid: string, state: string, event: string): StateError {
  return new StateError(
    "INVALID_TRANSITION",
    `Task ${taskUuid} is ${state}, which is final: it does not accept ${event}`,
    { context: { taskUuid, state, event, accepts: [] } },
  );
}

function refusal(
  action: StepAction,
  taskUuid: string,
  stepUuid: string,
  { outcome, fromState, taskState }: { outcome: string; fromState: string; taskState: string },
): StateError {
  const event = EVENTS[action];
  const accepts = Object.keys(STEP_TRANSITIONS[fromState as StepState] ?? {});
  const why =
    outcome === "task_is_final"
      ? `its task is ${taskState}, which is final, and would never run it`
      : `it is ${fromState}, and only a step in error is reset; it can be completed or resolved by hand`;
  return new StateError(
    "INVALID_TRANSITION",
    `Step ${stepUuid} of task ${taskUuid} does not accept ${event}: ${why}`,
    { context: { taskUuid, stepUuid, state: fromState, taskState, event, accepts } },
  );
}
