import type { TaskRequestActor } from "./actors/task-request-actor.js";
import type { Pool } from "./db/index.js";
import type { Circuits } from "./engine-circuits.js";
import { RecentShare } from "./lib/recent-share.js";
import type { EventBus } from "./lifecycle/events/index.js";
import {
  type ChannelStatus,
  Metrics,
  type MonitoredChannel,
  type Sample,
} from "./observability/index.js";
import type { EventPublisher } from "./worker/event-publisher.js";
import type { WorkerHost } from "./worker/worker-host.js";
import type { WorkerMeter } from "./worker/worker-meter.js";

/** What a host is made of, as far as it is measured. */
export interface MeasuredParts {
  readonly worker: WorkerHost;
  readonly pool: Pool;
  readonly publisher: EventPublisher;
  readonly buses: Readonly<
    Record<"lifecycle" | "domain", Pick<EventBus<never>, "counts" | "queues">>
  >;
  readonly requests: () => TaskRequestActor | undefined;
  readonly circuits: Circuits;
  readonly channels: () => readonly ChannelStatus[];
}

const CIRCUIT_STATES = { closed: 0, half_open: 1, open: 2 } as const;

/** A process that joined has a pool of its own; as a label it counts with its language, or labels would grow for ever. */
const languageOf = (pool: string): string => pool.replace(/-joined-\d+$/, "");

/** Every bounded queue of this process, with the key that sizes it. */
export function channelsOf({
  worker,
  buses,
  requests,
}: Omit<MeasuredParts, "channels" | "circuits">): MonitoredChannel[] {
  const actor = requests();
  return [
    {
      name: "completion",
      key: "worker.mpsc_channels.handler_dispatch.completion_buffer_size",
      ...worker.completionChannel,
      overflow: "wait",
      warns: true,
    },
    ...worker.pools.pools.map(({ channel }) => ({
      name: `dispatch/${channel.pool}`,
      key: "pump.max_prefetch_per_slot",
      capacity: channel.capacity,
      size: channel.pendingCount,
      highWater: channel.highWater,
      takeRefused: () => channel.takeRefused(),
      overflow: "refuse" as const,
      warns: false, // filled by what its consumer has asked for
    })),
    ...(actor === undefined
      ? []
      : [
          {
            name: "actor/task-request",
            key: "orchestration.mpsc_channels.command_processor.command_buffer_size",
            capacity: actor.mailbox.capacity,
            size: actor.mailbox.load,
            highWater: actor.mailbox.highWater,
            overflow: "wait" as const,
            warns: true,
          },
        ]),
    ...Object.entries(buses).flatMap(([kind, bus]) =>
      bus.queues().map((queue) => ({
        name: `events/${kind}/${queue.name}`,
        key: "worker.mpsc_channels.in_process_events.broadcast_buffer_size",
        capacity: queue.limits.capacity,
        size: queue.size,
        highWater: queue.highWater,
        overflow: queue.limits.overflow,
        warns: true,
      })),
    ),
  ];
}

/** Defines the metrics of a host. Names and labels are listed in `docs/reference/metrics.md`. */
export class EngineMetrics implements WorkerMeter {
  readonly metrics = new Metrics();
  /** Of the last steps that ran here. */
  readonly failures = new RecentShare(1000);
  readonly #handler: (labels: readonly string[], durationMs: number) => void;
  readonly #call: (labels: readonly string[], durationMs: number) => void;
  readonly #task: (labels: readonly string[], durationMs: number) => void;
  /** When tasks of this host were created, in that order. */
  readonly #created = new Map<bigint, number>();

  constructor() {
    this.#handler = this.metrics.histogram(
      "tasker_step_handler_duration_seconds",
      "How long step handlers ran, as they report it.",
      ["language", "outcome"],
    );
    this.#call = this.metrics.histogram(
      "tasker_database_call_duration_seconds",
      "How long calls of the hot path took, waiting for the connection included.",
      ["call"],
    );
    this.#task = this.metrics.histogram(
      "tasker_task_duration_seconds",
      "From creation to rest, of tasks created on this host.",
      ["state"],
    );
  }

  handlerEnded(pool: string, outcome: "success" | "failure", durationMs: number): void {
    this.failures.add(outcome === "failure");
    this.#handler([languageOf(pool), outcome], durationMs);
  }

  databaseCall(call: "tick" | "submit" | "scan", durationMs: number): void {
    this.#call([call], durationMs);
  }

  taskCreated(taskId: bigint): void {
    if (this.#created.size >= MAX_TIMED_TASKS) {
      const [oldest] = this.#created.keys();
      if (oldest !== undefined) this.#created.delete(oldest);
    }
    this.#created.set(taskId, performance.now());
  }

  taskRested(taskId: bigint, state: string): void {
    const createdAt = this.#created.get(taskId);
    if (createdAt === undefined) return;
    this.#created.delete(taskId);
    this.#task([state], performance.now() - createdAt);
  }

  /** Counters and gauges, read when somebody asks. */
  observe(parts: MeasuredParts): void {
    const { metrics } = this;
    const { worker, pool, publisher, buses } = parts;
    const counts = () => (worker.isRunning ? worker.pump.counts : null);
    const one = (value: number | undefined): Sample[] => (value === undefined ? [] : [[{}, value]]);
    metrics.counter(
      "tasker_step_results_total",
      "Results of steps by what the database made of them: committed, stale (the lease had moved on), rejected (could not be stored), released (given back), yielded (a checkpoint).",
      ["verdict"],
      () => {
        const now = counts();
        if (now === null) return [];
        const verdicts = ["committed", "stale", "rejected", "released", "yielded"] as const;
        return verdicts.map((verdict) => [{ verdict }, now[verdict]]);
      },
    );
    metrics.counter("tasker_pump_ticks_total", "Calls that stored results.", [], () =>
      one(counts()?.ticks),
    );
    metrics.counter(
      "tasker_queue_scans_total",
      "Calls that looked into the worker queues.",
      [],
      () => one(counts()?.scans),
    );
    metrics.gauge("tasker_leases_held", "Steps that this host has leased.", [], () =>
      one(worker.ledger.held().length),
    );
    metrics.counter(
      "tasker_database_reconnects_total",
      "Connections of the pump that were lost and opened anew.",
      [],
      () => one(worker.link.counts().reconnects),
    );
    metrics.counter(
      "tasker_database_conflicts_total",
      "Calls repeated after a deadlock or a serialization failure.",
      [],
      () => one(worker.link.counts().conflicts),
    );
    metrics.gauge("tasker_database_pool_connections", "Connections of the pool.", ["state"], () => {
      const { idle, total, waiting } = pool.counts();
      return [
        [{ state: "idle" }, idle],
        [{ state: "used" }, total - idle],
        [{ state: "waited_for" }, waiting],
      ];
    });
    metrics.counter(
      "tasker_domain_events_total",
      "Domain events of accepted results; skipped ones could not be made or stored.",
      ["outcome"],
      () => [
        [{ outcome: "prepared" }, publisher.counts.prepared],
        [{ outcome: "skipped" }, publisher.counts.skipped],
      ],
    );
    metrics.counter(
      "tasker_subscriber_events_total",
      "Events handed to subscribers of this process; slow ones were delivered or failed as well.",
      ["kind", "outcome"],
      () =>
        Object.entries(buses).flatMap(([kind, bus]) =>
          Object.entries(bus.counts).map(([outcome, value]): Sample => [{ kind, outcome }, value]),
        ),
    );
    this.#observeCircuits(parts);
    this.#observeChannels(parts);
    this.#observeBridges(worker);
  }

  #observeCircuits({ circuits }: MeasuredParts): void {
    const each = (read: (circuit: Circuits[keyof Circuits]) => number) => (): Sample[] =>
      Object.entries(circuits).map(([circuit, one]): Sample => [{ circuit }, read(one)]);
    const label = ["circuit"];
    this.metrics.gauge(
      "tasker_circuit_breaker_state",
      "0 closed, 1 half-open, 2 open.",
      label,
      each(({ state }) => CIRCUIT_STATES[state]),
    );
    this.metrics.counter(
      "tasker_circuit_breaker_opened_total",
      "Times a circuit breaker has opened.",
      label,
      each(({ counts }) => counts.opened),
    );
    this.metrics.counter(
      "tasker_circuit_breaker_refused_total",
      "Calls that were refused because it was open.",
      label,
      each(({ counts }) => counts.refused),
    );
  }

  #observeChannels({ channels }: MeasuredParts): void {
    const each = (read: (channel: ChannelStatus) => number) => (): Sample[] => [
      ...byLabel(channels(), read),
    ];
    const label = ["channel"];
    this.metrics.gauge(
      "tasker_channel_depth",
      "Entries in a bounded channel.",
      label,
      each((c) => c.size),
    );
    this.metrics.gauge(
      "tasker_channel_capacity",
      "Entries it may hold.",
      label,
      each((c) => c.capacity),
    );
    this.metrics.gauge(
      "tasker_channel_high_water",
      "The most it ever held, senders that waited included.",
      label,
      each((c) => c.highWater),
    );
  }

  #observeBridges({ languages }: WorkerHost): void {
    const read =
      (name: "spawned" | "crashed" | "answered" | "stale" | "inFlight") => (): Sample[] =>
        languages.flatMap(({ language, supervisor }): Sample[] =>
          supervisor === null ? [] : [[{ language }, supervisor.metrics()[name]]],
        );
    const { metrics } = this;
    const label = ["language"];
    metrics.counter(
      "tasker_bridge_spawned_total",
      "Handler processes started.",
      label,
      read("spawned"),
    );
    metrics.counter(
      "tasker_bridge_crashed_total",
      "Handler processes that died.",
      label,
      read("crashed"),
    );
    metrics.counter(
      "tasker_bridge_answers_total",
      "Answers of handler processes.",
      label,
      read("answered"),
    );
    metrics.counter(
      "tasker_bridge_stale_answers_total",
      "Answers to deliveries that were not open any more.",
      label,
      read("stale"),
    );
    metrics.gauge(
      "tasker_bridge_in_flight",
      "Steps that handler processes hold.",
      label,
      read("inFlight"),
    );
  }
}

const MAX_TIMED_TASKS = 10_000;

/** Channels of one label add up: processes that joined, subscribers of one name. */
function byLabel(
  channels: readonly ChannelStatus[],
  read: (channel: ChannelStatus) => number,
): Iterable<Sample> {
  const sums = new Map<string, number>();
  for (const channel of channels) {
    const name = languageOf(channel.name);
    sums.set(name, (sums.get(name) ?? 0) + read(channel));
  }
  return Array.from(sums, ([channel, value]): Sample => [{ channel }, value]);
}
