export { EventBus, type SubscribeOptions } from "./event-bus.js";
export { type EventTask, LifecycleBus, type LifecycleBusDeps } from "./lifecycle-bus.js";
export type { Overflow, QueueLimits, SubscriberCounts } from "./subscriber-queue.js";
