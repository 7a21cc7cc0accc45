export {
  type ClosedTask,
  type CloseTasksInput,
  cancelTasks,
  completeStepManually,
  findStepIds,
  findStepTemplate,
  type OperatorNote,
  resetStepForRetry,
  resolveStepManually,
  resolveTasks,
  type StepActionInput,
  type StepActionResult,
} from "./actions.js";
export {
  type CheckpointInput,
  type CheckpointReport,
  checkpointSteps,
  loadCheckpoints,
} from "./checkpoint.js";
export {
  type ClaimInput,
  claimSteps,
  claimUnroutableSteps,
  type UnroutableInput,
} from "./claim-steps.js";
export { createTasks, type NewTask } from "./create-tasks.js";
export { markWorkerIdle, wakeIdleWorkers } from "./idle.js";
export {
  type HeldStep,
  type ReleasedStep,
  reconcileWorker,
  releaseSteps,
  renewLeases,
} from "./leases.js";
export {
  type DynamicAncestor,
  type LoadedTask,
  type LoadedTemplate,
  loadDynamicAncestors,
  loadDynamicSteps,
  loadResults,
  loadTasks,
  loadTemplates,
} from "./load.js";
export {
  detectStaleTasks,
  firstOpenTask,
  type ReconciledMessages,
  type ReconciledTasks,
  reconcileMessages,
  reconcileTasks,
  type StalenessLimits,
  type StalenessRound,
  type StaleTask,
} from "./maintenance.js";
export { type QueueDepth, readQueueDepths } from "./queue-depths.js";
export {
  createDomainEventQueue,
  type RegisteredTemplateIds,
  registerTemplate,
  registerWorker,
  stopWorker,
  type WorkerIdentity,
} from "./register.js";
export {
  type DeletedTasks,
  deleteArchivedMessages,
  deleteFinishedTasks,
  type SweptLog,
  sweepLog,
} from "./retention.js";
export type { PriorityClass, Routes } from "./routes.js";
export {
  processStepResults,
  type QueuedEvent,
  type StepReport,
  submitStepResults,
  type TickInput,
  tick,
  type VerdictCode,
} from "./tick.js";
export type { ClaimedStep, ResultVerdict, TickOutcome } from "./tick-row.js";
