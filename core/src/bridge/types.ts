import type { DefinedTemplate } from "@tasker-core/sdk/protocol";
import type { FfiDispatchChannel } from "../channels/index.js";
import type { Clock } from "../lib/clock.js";
import type { Logger } from "../observability/index.js";
import type { OrphanGuard } from "./orphan-guard.js";
import type { PeerCarrier } from "./peer-process.js";

export interface BridgeSupervisorOptions {
  /** For names and logs: `python`, `ruby`, ... */
  readonly language: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** How many handler processes; default 1. */
  readonly processes?: number;
  /** Pool of the handler processes that serves {@link channel}; a process that has no such pool serves with its first. */
  readonly pool: string;
  readonly channel: FfiDispatchChannel;
  /**
   * Takes the task templates that a process has defined in code, before the process counts as ready; called for every
   * process that says hello. Reports what it refuses itself.
   */
  readonly onTemplates?: (templates: readonly DefinedTemplate[]) => Promise<void>;
  /** Instead of a process: what is opened anew for every launch. `command` is then only its name in messages. */
  readonly open?: () => PeerCarrier;
  readonly logger: Logger;
  readonly clock: Clock;
  /** For logs on the other side. */
  readonly hostId?: string;
  /** Default 5 000. */
  readonly handshakeTimeoutMs?: number;
  /** How many launches may fail before `start` gives up; default 3. */
  readonly startAttempts?: number;
  /** How long a process may go on with what it has when it is replaced; default 25 000. */
  readonly drainGraceMs?: number;
  /** From SIGTERM to SIGKILL; default 5 000. */
  readonly killGraceMs?: number;
  /** From `cancel` to giving a delivery up; default 5 000. */
  readonly cancelGraceMs?: number;
  /** Default 5 000. */
  readonly pingMs?: number;
  /** Told to the process as what the host keeps on the deliveries it hands out; default 30 000. */
  readonly leaseMs?: number;
  /** Largest frame in both directions, bytes; default 16 MiB. */
  readonly maxFrame?: number;
}

/** The same with nothing left open. */
export type BridgeSettings = Required<Omit<BridgeSupervisorOptions, "cwd" | "env" | "open">> &
  Pick<BridgeSupervisorOptions, "cwd" | "env" | "open"> & { readonly guard: OrphanGuard };

/** Counters since start, and what is so now. */
export interface BridgeMetrics {
  readonly spawned: number;
  readonly crashed: number;
  readonly answered: number;
  /** Answers for deliveries no longer wanted. */
  readonly stale: number;
  readonly inFlight: number;
  readonly abandoned: number;
  readonly processes: readonly {
    readonly workerName: string;
    readonly pid: number;
    readonly inFlight: number;
  }[];
}
