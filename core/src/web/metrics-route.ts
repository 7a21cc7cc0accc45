import { z } from "zod";
import type { ChannelStatus, Metrics, Sample } from "../observability/index.js";
import { type Route, route, TextReply } from "./route.js";

/** `/metrics`: what several registries have, as one text. */
export function metricsRoute(
  registries: readonly Pick<Metrics, "render" | "contentType">[],
  refresh: () => Promise<void> = async () => undefined,
): Route {
  return route({
    method: "GET",
    path: "/metrics",
    permission: null,
    tag: "metrics",
    summary: "Prometheus' text format.",
    replyType: "text/plain",
    reply: z.string(),
    handle: async () => {
      await refresh();
      const texts = await Promise.all(registries.map((registry) => registry.render()));
      const type = registries[0]?.contentType ?? "text/plain";
      return new TextReply(texts.map((text) => `${text.trimEnd()}\n`).join("\n"), type);
    },
  });
}

/** 1: less than 80 % full; 0.5: less than 95 %; 0: full or nearly so. */
export function channelHealth(
  metrics: Metrics,
  name: string,
  component: string,
  channels: () => readonly ChannelStatus[],
): void {
  metrics.gauge(
    name,
    "1 while a bounded channel has room, 0.5 from 80 % of its capacity, 0 from 95 %.",
    ["channel_name", "component"],
    () => {
      const worst = new Map<string, number>();
      for (const { name: channel, saturation } of channels()) {
        // Processes that joined come and go; as a label they count with their language.
        const label = channel.replace(/-joined-\d+$/, "");
        worst.set(label, Math.max(worst.get(label) ?? 0, saturation));
      }
      return Array.from(
        worst,
        ([channel_name, saturation]): Sample => [
          { channel_name, component },
          saturation >= 0.95 ? 0 : saturation >= 0.8 ? 0.5 : 1,
        ],
      );
    },
  );
}
