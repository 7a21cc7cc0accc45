export {
  type ConsumerCounts,
  type ConsumerSettings,
  DomainEventConsumer,
  type DomainEventConsumerOptions,
} from "./domain-event-consumer.js";
export { MemoryProvider, type MemoryProviderOptions } from "./memory-provider.js";
export { PgmqProvider, type PgmqProviderOptions } from "./pgmq-provider.js";
export { checkQueueName, domainEventQueue } from "./queue-names.js";
export type {
  Delivery,
  MessageId,
  MessagingProvider,
  QueueMetrics,
  ReceivedMessage,
  ReceiveOptions,
  SendOptions,
} from "./types.js";
