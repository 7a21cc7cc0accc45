import type { Pool } from "../../db/index.js";
import type {
  ManualCompletion,
  OperatorRemark,
  StepActedOn,
  TaskClosed,
} from "../../lifecycle/operator-actions.js";
import type { CreatedTask } from "../../lifecycle/task-initializer.js";
import type { TaskRequest } from "../../lifecycle/task-request.js";
import type { ChannelStatus, Metrics } from "../../observability/index.js";

/** What the API asks of the engine behind it. */
export interface OrchestrationEngine {
  readonly pool: Pool;
  readonly metrics: Pick<Metrics, "render" | "contentType">;
  channels(): readonly ChannelStatus[];
  createTask(request: TaskRequest): Promise<CreatedTask>;
  cancelTask(taskUuid: string, remark?: OperatorRemark): Promise<TaskClosed>;
  resetStep(taskUuid: string, stepUuid: string, remark?: OperatorRemark): Promise<StepActedOn>;
  resolveStep(taskUuid: string, stepUuid: string, remark?: OperatorRemark): Promise<StepActedOn>;
  completeStep(
    taskUuid: string,
    stepUuid: string,
    completion: ManualCompletion,
  ): Promise<StepActedOn>;
  healthInfo(): HealthInfo;
  /** Share of the database connections in use, 0 to 1. */
  poolUtilization(): number;
  /** Of the fullest bounded channel, 0 to 1. */
  channelSaturation(): number;
  /** Messages in a queue from which on it is worth a warning, and from which on it is too much. */
  queueDepthLimits(): { readonly critical: number; readonly overflow: number };
}

export interface HealthInfo {
  readonly version: string;
  readonly environment: string;
  readonly operational_state: "Normal" | "Startup" | "GracefulShutdown" | "Stopped" | "Emergency";
  readonly web_database_pool_size: number;
  readonly orchestration_database_pool_size: number;
  readonly circuit_breaker_state: "Closed" | "Open" | "HalfOpen";
}
