import type { QueueDepth } from "../../db/functions/index.js";
import type { Pool } from "../../db/index.js";
import type { ChannelStatus, Metrics } from "../../observability/index.js";

/** What the worker's API asks of the worker behind it. */
export interface WorkerEngine {
  readonly pool: Pool;
  readonly metrics: Pick<Metrics, "render" | "samples" | "contentType">;
  readonly workerId: string;
  readonly workerType: string;
  readonly version: string;
  readonly environment: string;
  readonly poolSize: number;
  isRunning(): boolean;
  /** Whether the handler processes and the queues are being listened to. */
  hasEvents(): boolean;
  uptimeSeconds(): number;
  /** Of the templates that this worker has registered. */
  namespaces(): readonly string[];
  /** Of its namespaces. */
  queueDepths(): Promise<readonly QueueDepth[]>;
  queueNames(): readonly string[];
  channels(): readonly ChannelStatus[];
  /** Of the last thousand steps; null before the first. */
  stepErrorShare(): number | null;
  /** Names of circuits that are open. */
  openCircuits(): readonly string[];
  /** The language that runs a callable here; undefined when none does. */
  languageOf(callable: string): string | undefined;
  hasHandlerProcesses(): boolean;
  templateCache(): TemplateCacheCounts;
  events(): EventCounts;
}

export interface TemplateCacheCounts {
  readonly cached: number;
  readonly hits: number;
  readonly misses: number;
  readonly oldestSeconds: number;
}

/** Domain events since the start. */
export interface EventCounts {
  readonly durable: number;
  readonly fast: number;
  readonly broadcast: number;
  /** Could not be made or stored. */
  readonly skipped: number;
  /** That subscribers in this process, or in handler processes, were to get. */
  readonly dispatched: Readonly<Record<"own" | "processes", number>>;
  readonly failed: number;
  readonly dropped: number;
  /** Subscribers in this process. */
  readonly ownSubscribers: number;
  /** Languages whose handler processes subscribe. */
  readonly processSubscribers: number;
}
