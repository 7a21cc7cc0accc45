import { type DomainEvent, defineHandler } from "@tasker-core/sdk";
import { describe, expect, it } from "vitest";
import {
  DomainEventConsumer,
  MemoryProvider,
  type MessagingProvider,
} from "../../../core/src/messaging/index.js";
import { silentLogger } from "../../../core/src/observability/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, yamlTemplate } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

const database = useTestDatabase({ maxConnections: 4 });
const QUEUE = "tests_domain_events";

const settings = {
  visibilityTimeoutMs: 60_000,
  batchSize: 10,
  maxDeliveries: 3,
  retryFirstMs: 10,
  retryMaxMs: 20,
};

function envelope(name: string, n = 0) {
  return {
    event_id: `id-${n}`,
    event_name: name,
    event_version: "1.0",
    payload: {
      task_sequence_step: {},
      execution_result: { success: true, result: {}, metadata: {} },
      payload: { n },
    },
    metadata: { task_uuid: "t", step_uuid: "s", step_name: "only", namespace: "tests" },
  };
}

async function consumerOver(
  provider: MessagingProvider,
  more: Partial<typeof settings> = {},
): Promise<DomainEventConsumer> {
  await provider.createQueue(QUEUE);
  return new DomainEventConsumer({
    provider,
    namespace: "tests",
    settings: { ...settings, ...more },
    logger: silentLogger(),
  });
}

const emptied = async (provider: MessagingProvider): Promise<void> =>
  void (await waitFor(async () => (await provider.metrics(QUEUE)).depth === 0));

describe("domain event consumer", () => {
  it("hands events to the subscriptions that their names match, in order, and acknowledges all", async () => {
    const provider = new MemoryProvider({ capacity: 100 });
    const consumer = await consumerOver(provider);
    const orders: unknown[] = [];
    const all: string[] = [];
    consumer.subscribe("order.*", (event) => void orders.push(event.businessPayload["n"]));
    consumer.subscribe(["order.paid", "user.*"], (event) => void all.push(event.eventName));
    await provider.sendBatch(QUEUE, [
      envelope("order.made", 1),
      envelope("order.paid", 2),
      envelope("stock.low", 3),
      envelope("user.gone", 4),
    ]);
    await consumer.start();
    await emptied(provider);
    await consumer.stop();
    expect(orders).toEqual([1, 2]);
    expect(all).toEqual(["order.paid", "user.gone"]);
    expect(consumer.counts).toEqual({ handled: 3, ignored: 1, retried: 0, archived: 0 });
    await provider.close();
  });

  it("brings a failing event again, and archives it when it has failed too often", async () => {
    const provider = new MemoryProvider({ capacity: 100 });
    const consumer = await consumerOver(provider);
    const tries: Record<string, number> = {};
    consumer.subscribe("*", ({ eventName }) => {
      tries[eventName] = (tries[eventName] ?? 0) + 1;
      if (eventName === "bad" || tries[eventName] === 1) throw new Error("not now");
    });
    await provider.sendBatch(QUEUE, [envelope("bad"), envelope("flaky"), "no event", null]);
    await consumer.start();
    await emptied(provider);
    await consumer.stop();
    expect(tries).toEqual({ bad: 3, flaky: 2 });
    expect(consumer.counts).toEqual({ handled: 1, ignored: 0, retried: 3, archived: 3 });
    await provider.close();
  });

  it("keeps what it holds while a handler takes longer than the visibility timeout", async () => {
    const provider = new MemoryProvider({ capacity: 100 });
    const consumer = await consumerOver(provider, { visibilityTimeoutMs: 300 });
    const seen: unknown[] = [];
    consumer.subscribe("*", async ({ businessPayload }) => {
      seen.push(businessPayload["n"]);
      await new Promise((resolve) => setTimeout(resolve, 700));
    });
    await provider.sendBatch(QUEUE, [envelope("slow", 1), envelope("slow", 2)]);
    const other = await consumerOver(provider);
    other.subscribe("*", ({ businessPayload }) => void seen.push(businessPayload["n"]));
    await consumer.start();
    await waitFor(() => seen.length === 1);
    await other.start();
    await emptied(provider);
    await Promise.all([consumer.stop(), other.stop()]);
    expect(seen).toEqual([1, 2]);
    await provider.close();
  });

  it("gives back what it has taken and not begun when it stops", async () => {
    const provider = new MemoryProvider({ capacity: 100 });
    const consumer = await consumerOver(provider);
    let stopped: Promise<void> | undefined;
    consumer.subscribe("*", () => {
      stopped ??= consumer.stop();
    });
    await provider.sendBatch(QUEUE, [envelope("a", 1), envelope("a", 2), envelope("a", 3)]);
    await consumer.start();
    await waitFor(() => stopped !== undefined);
    await stopped;
    expect(await provider.metrics(QUEUE)).toMatchObject({ depth: 2, visible: 2 });
    await provider.close();
  });

  it("consumes what steps publish durably, and the engine stops it", async () => {
    const template = yamlTemplate(`
name: publishing
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: only
    handler: { callable: one }
    publishes_events:
      - { name: order.made, description: an order, condition: success, delivery_mode: durable, schema: { type: object } }
`);
    const host = await startTestEngine({
      databaseUrl: database.url,
      templates: {},
      parsedTemplates: [template],
      handlers: { one: defineHandler("one", { inputs: { n: "n" } }, async ({ n }) => ({ n })) },
    });
    const events: DomainEvent[] = [];
    let failures = 1;
    const consumer = host.engine.consumeDomainEvents("tests");
    consumer.subscribe("order.*", (event) => {
      if (failures-- > 0) throw new Error("once more");
      events.push(event);
    });
    await consumer.start();
    const { taskUuid } = await host.run("publishing", { n: 7 });
    await waitFor(() => events.length === 1);
    expect(events[0]).toMatchObject({
      eventName: "order.made",
      businessPayload: { n: 7 },
      metadata: { taskUuid, stepName: "only", namespace: "tests" },
    });
    await emptied(host.engine.messaging);
    await host.engine.stop();
    expect(consumer.counts).toMatchObject({ handled: 1, retried: 1, archived: 0 });
    await expect(host.engine.messaging.listQueues()).rejects.toMatchObject({
      code: "CHANNEL_CLOSED",
    });
  });
});
