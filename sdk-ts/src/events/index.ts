/** Entry `@tasker-core/sdk/events`: what a worker tells about itself. */
export {
  type PollerMetrics,
  type StepEnded,
  type StepOccurrence,
  TaskerEventEmitter,
  type TaskerEventMap,
} from "./event-emitter.js";
export {
  type EventName,
  EventNames,
  type MetricsEventName,
  MetricsEventNames,
  type PollerEventName,
  PollerEventNames,
  type StepEventName,
  StepEventNames,
  type WorkerEventName,
  WorkerEventNames,
} from "./event-names.js";
export {
  createEventPoller,
  EventPoller,
  type EventPollerConfig,
  type PollerState,
  type StepSource,
} from "./event-poller.js";
export { EventSystem, type EventSystemConfig, type EventSystemStats } from "./event-system.js";
