export { DomainEventBus } from "./domain-bus.js";
export { EventBus, type OpenSubscription, type SubscribeOptions } from "./event-bus.js";
export {
  type EventTask,
  LifecycleBus,
  type LifecycleBusDeps,
  type StepAction,
} from "./lifecycle-bus.js";
export type { Overflow, QueueLimits, SubscriberCounts } from "./subscriber-queue.js";
