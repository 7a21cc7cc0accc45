/** What programs that run Tasker inside themselves import. Handler authors import `@tasker-core/sdk`. */
export { HandlerRegistry, ResolverChain } from "@tasker-core/sdk/host";
export { Engine, type EngineOptions } from "./bootstrap.js";
export {
  type Config,
  type ConfigProblem,
  defaultConfig,
  type LoadConfigOptions,
  type LoadedConfig,
  loadConfig,
} from "./config/index.js";
export {
  createPool,
  type MigrateOptions,
  type MigrateResult,
  type MigrationStatus,
  migrate,
  migrationStatus,
  type Pool,
  type Queryable,
} from "./db/index.js";
export {
  ConfigError,
  DatabaseError,
  ERROR_CATALOGUE,
  type ErrorCode,
  type ErrorContext,
  isTaskerError,
  PeerError,
  StateError,
  TaskerError,
} from "./errors/index.js";
export type { EventBus, LifecycleBus, SubscribeOptions } from "./lifecycle/events/index.js";
export {
  type ManualCompletion,
  OperatorActions,
  type OperatorRemark,
  type StepActedOn,
  type TaskClosed,
} from "./lifecycle/operator-actions.js";
export type { CreatedTask } from "./lifecycle/task-initializer.js";
export {
  type AttemptRow,
  attemptsOfTask,
  findTask,
  listTasks,
  resultsOfTask,
  type StepRow,
  stepsOfTask,
  type TaskFilter,
  type TaskRow,
} from "./lifecycle/task-queries.js";
export { JsonText, type TaskRequest } from "./lifecycle/task-request.js";
export {
  type ConsumerCounts,
  type Delivery,
  type DomainEventConsumer,
  MemoryProvider,
  type MemoryProviderOptions,
  type MessageId,
  type MessagingProvider,
  PgmqProvider,
  type PgmqProviderOptions,
  type QueueMetrics,
  type ReceivedMessage,
  type ReceiveOptions,
  type SendOptions,
} from "./messaging/index.js";
export {
  type MermaidOptions,
  type TaskTemplate,
  templateFromJson,
  toMermaid,
} from "./model/index.js";
export {
  createLogger,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  silentLogger,
} from "./observability/index.js";
export {
  type PostgresServer,
  type ResolveDatabaseOptions,
  type ResolvedDatabase,
  resolveDatabase,
  type StartPostgresOptions,
  startPostgres,
} from "./postgres/index.js";
export {
  type Diagnostic,
  type Discovery,
  discoverTemplates,
  findTemplateDirectory,
  formatDiagnostic,
  hasErrors,
  loadTemplateFile,
  type ParsedTemplate,
  parseTemplate,
  type TemplateOptions,
} from "./templates/index.js";
export {
  type BridgeLanguagesOptions,
  bridgeLanguages,
  type HandlerPaths,
  type HandlerPathsOptions,
  handlerPaths,
} from "./worker/bridge-languages.js";
export {
  HandlerLoader,
  type HandlerLoadReport,
  type LoadedHandler,
} from "./worker/handler-loader.js";
export type { BridgeLanguage } from "./worker/language-pools.js";
