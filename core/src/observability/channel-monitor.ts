import type { HighWater } from "../lib/high-water.js";
import type { Logger } from "./logger.js";

/** A bounded queue inside a process, as its monitor sees it. */
export interface MonitoredChannel {
  /** Also the metrics' label: few, and the same from run to run. */
  readonly name: string;
  /** Where its capacity is configured, as one writes it in TOML. */
  readonly key: string;
  readonly capacity: number;
  readonly size: number;
  readonly highWater: HighWater;
  /** `wait`: the sender waits. `refuse`: the sender takes it elsewhere. `drop_*`: that event is lost, and counted. */
  readonly overflow: "wait" | "refuse" | "drop_oldest" | "drop_newest";
  /** False for a channel that asks for as much as fits: full is how it works best. */
  readonly warns: boolean;
  /** How much it had no room for since the last look: worth a warning whatever {@link warns} says. */
  readonly takeRefused?: () => number;
}

export interface ChannelStatus {
  readonly name: string;
  readonly key: string;
  readonly capacity: number;
  readonly size: number;
  /** The most it ever held. */
  readonly highWater: number;
  /** `size / capacity`; above 1 while senders wait. */
  readonly saturation: number;
  readonly overflow: MonitoredChannel["overflow"];
}

export interface ChannelMonitorOptions {
  /** Asked anew each time: subscribers and handler processes come and go. */
  readonly channels: () => readonly MonitoredChannel[];
  /** Share of the capacity from which it warns, 0..1. */
  readonly warnAt: number;
  readonly intervalMs: number;
  readonly logger: Logger;
}

/**
 * Watches every bounded channel of a host. It looks at what each held at most since the last look, so a burst between two
 * looks is seen; a channel is warned about once per look.
 */
export class ChannelMonitor {
  readonly name = "channel-monitor";
  readonly #options: ChannelMonitorOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ChannelMonitorOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.check(), this.#options.intervalMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  status(): ChannelStatus[] {
    return this.#options.channels().map((channel) => ({
      name: channel.name,
      key: channel.key,
      capacity: channel.capacity,
      size: channel.size,
      highWater: channel.highWater.ever,
      saturation: channel.capacity === 0 ? 0 : channel.size / channel.capacity,
      overflow: channel.overflow,
    }));
  }

  /** What the timer does. */
  check(): void {
    const { channels, warnAt, logger } = this.#options;
    for (const channel of channels()) {
      const { name, key, capacity, highWater, overflow, warns } = channel;
      const refused = channel.takeRefused?.() ?? 0;
      if (refused > 0) {
        logger.warn(
          { channel: name, key, capacity, refused, overflow },
          `channel ${name} of ${capacity} had no room ${refused} times; the steps come back with their lease: raise ${key}, or find out why it is not emptied faster`,
        );
      }
      const most = highWater.takeRecent();
      if (!warns || most < capacity * warnAt) continue;
      logger.warn(
        { channel: name, key, capacity, most, overflow },
        `channel ${name} held ${most} of ${capacity}: raise ${key}, or find out why it is not emptied faster`,
      );
    }
  }
}
