import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  MemoryProvider,
  type MessagingProvider,
  PgmqProvider,
  type ReceivedMessage,
} from "../../../core/src/messaging/index.js";
import { useTestDatabase } from "../../support/test-database.js";

const HIDDEN = { visibilityTimeoutMs: 60_000 };
const ABSENT = "none_such";

const database = useTestDatabase({ maxConnections: 10 });

// One suite for all: what holds for one provider holds for the others.
const providers: Record<string, () => MessagingProvider> = {
  pgmq: () => new PgmqProvider({ db: database.pool, pollIntervalMs: 10 }),
  memory: () => new MemoryProvider({ capacity: 5_000 }),
};

describe.each(Object.keys(providers))("messaging provider %s", (kind) => {
  let provider: MessagingProvider;
  let queues = 0;

  const open = (): MessagingProvider => (providers[kind] as () => MessagingProvider)();
  const fresh = async (): Promise<string> => {
    queues += 1;
    const queue = `conformance_${queues}`;
    await provider.createQueue(queue);
    return queue;
  };
  const numbers = (received: readonly ReceivedMessage[]): unknown[] =>
    received.map(({ message }) => (message as { n: number }).n);
  const take = async (queue: string, limit = 100): Promise<ReceivedMessage[]> =>
    await provider.receive(queue, { ...HIDDEN, limit });

  beforeAll(() => {
    provider = open();
  });
  afterAll(async () => await provider.close());

  it("creates a queue once, lists it, and drops it once", async () => {
    expect(await provider.createQueue("made_once")).toBe(true);
    expect(await provider.createQueue("made_once")).toBe(false);
    expect(await provider.createQueue("MADE_ONCE")).toBe(false);
    expect(await provider.listQueues()).toContain("made_once");
    expect(await provider.dropQueue("made_once")).toBe(true);
    expect(await provider.dropQueue("made_once")).toBe(false);
    expect(await provider.listQueues()).not.toContain("made_once");
  });

  it("creates a queue once for callers that come together", async () => {
    const created = await Promise.all(
      Array.from({ length: 8 }, () => provider.createQueue("made_together")),
    );
    expect(created.filter(Boolean)).toHaveLength(1);
  });

  it("refuses names that no queue can have and queues that are not there", async () => {
    for (const name of ["", "a-b", 'a"b', "a.b", "x".repeat(48)]) {
      await expect(provider.createQueue(name)).rejects.toMatchObject({
        code: "QUEUE_NAME_INVALID",
      });
      await expect(provider.send(name, 1)).rejects.toMatchObject({ code: "QUEUE_NAME_INVALID" });
    }
    const calls = [
      provider.send(ABSENT, 1),
      provider.receive(ABSENT, HIDDEN),
      provider.receiveOne(ABSENT, 1n, 1000),
      provider.ack(ABSENT, [{ id: 1n, readCount: 1 }]),
      provider.archive(ABSENT, [{ id: 1n, readCount: 1 }]),
      provider.purge(ABSENT),
      provider.metrics(ABSENT),
    ];
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ status: "rejected", reason: { code: "QUEUE_NOT_FOUND" } });
    }
  });

  it("keeps every JSON value and the headers as they were sent", async () => {
    const queue = await fresh();
    const values = [{ a: [1, { b: null }] }, "text \u{1F600}", 0, false, null, [], {}];
    await provider.sendBatch(queue, values, { headers: { trace: "t-1" } });
    const received = await take(queue);
    expect(received.map(({ message }) => message)).toEqual(values);
    expect(received.map(({ headers }) => headers)).toEqual(values.map(() => ({ trace: "t-1" })));
    await provider.send(queue, 1);
    expect((await take(queue))[0]?.headers).toBeNull();
  });

  it("gives ascending ids and delivers in the order of sending", async () => {
    const queue = await fresh();
    const first = await provider.send(queue, { n: 0 });
    const rest = await provider.sendBatch(
      queue,
      Array.from({ length: 50 }, (_, i) => ({ n: i + 1 })),
    );
    const ids = [first, ...rest];
    expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
    const received = await take(queue);
    expect(received.map(({ id }) => id)).toEqual(ids);
    expect(numbers(received)).toEqual(Array.from({ length: 51 }, (_, i) => i));
  });

  it("sends an empty batch as nothing", async () => {
    const queue = await fresh();
    expect(await provider.sendBatch(queue, [])).toEqual([]);
    expect((await provider.metrics(queue)).depth).toBe(0);
  });

  it("keeps two messages with the same content apart", async () => {
    const queue = await fresh();
    await provider.send(queue, { n: 1 });
    await provider.send(queue, { n: 1 });
    const received = await take(queue);
    expect(numbers(received)).toEqual([1, 1]);
    expect(received[0]?.id).not.toBe(received[1]?.id);
  });

  it("receives up to the limit, one by default", async () => {
    const queue = await fresh();
    await provider.sendBatch(queue, [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
    expect(numbers(await provider.receive(queue, HIDDEN))).toEqual([1]);
    expect(numbers(await take(queue, 2))).toEqual([2, 3]);
    expect(numbers(await take(queue, 100))).toEqual([4]);
    expect(await take(queue)).toEqual([]);
  });

  it("filters by what a message contains and leaves the others", async () => {
    const queue = await fresh();
    await provider.sendBatch(queue, [
      { n: 1, kind: "a", tags: ["x", "y"] },
      { n: 2, kind: "b", deep: { k: 1, l: 2 } },
      { n: 3, kind: "a" },
      "no object",
    ]);
    const containing = async (part: Record<string, unknown>) =>
      numbers(await provider.receive(queue, { ...HIDDEN, limit: 10, containing: part }));
    expect(await containing({ tags: ["y"] })).toEqual([1]);
    expect(await containing({ deep: { l: 2 } })).toEqual([2]);
    expect(await containing({ kind: "c" })).toEqual([]);
    expect(await containing({ kind: "a" })).toEqual([3]);
    expect((await take(queue)).map(({ message }) => message)).toEqual(["no object"]);
  });

  it("holds a delayed message back until its time", async () => {
    const queue = await fresh();
    await provider.send(queue, { n: 1 }, { delayMs: 300 });
    await provider.send(queue, { n: 2 }, { delayMs: 60_000 });
    const startedAt = performance.now();
    expect(await take(queue)).toEqual([]);
    const received = await provider.receive(queue, { ...HIDDEN, limit: 10, waitMs: 10_000 });
    expect(numbers(received)).toEqual([1]);
    expect(performance.now() - startedAt).toBeGreaterThan(250);
  });

  it("delivers again after the visibility timeout, and counts it", async () => {
    const queue = await fresh();
    await provider.send(queue, { n: 1 });
    const [first] = await provider.receive(queue, { visibilityTimeoutMs: 200 });
    expect(first?.readCount).toBe(1);
    expect(await take(queue)).toEqual([]);
    const [second] = await provider.receive(queue, { ...HIDDEN, waitMs: 10_000 });
    expect(second).toMatchObject({ id: first?.id, readCount: 2, message: { n: 1 } });
  });

  it("refuses the answers of a delivery that is no longer the latest", async () => {
    const queue = await fresh();
    await provider.send(queue, { n: 1 });
    const [late] = await provider.receive(queue, { visibilityTimeoutMs: 1 });
    const [current] = await provider.receive(queue, { ...HIDDEN, waitMs: 10_000 });
    if (late === undefined || current === undefined) throw new Error("two deliveries expected");
    expect(await provider.ack(queue, [late])).toEqual([]);
    expect(await provider.nack(queue, [late])).toEqual([]);
    expect(await provider.archive(queue, [late])).toEqual([]);
    expect(await provider.extend(queue, [late], 1)).toEqual([]);
    expect(await take(queue)).toEqual([]);
    expect(await provider.ack(queue, [current])).toEqual([current.id]);
    expect(await provider.ack(queue, [current])).toEqual([]);
  });

  it("acknowledges some of a batch and leaves the others delivered", async () => {
    const queue = await fresh();
    await provider.sendBatch(queue, [{ n: 1 }, { n: 2 }, { n: 3 }]);
    const [a, b, c] = await take(queue);
    if (!a || !b || !c) throw new Error("three deliveries expected");
    expect(await provider.ack(queue, [c, a])).toEqual([a.id, c.id]);
    expect(await provider.metrics(queue)).toMatchObject({ depth: 1, visible: 0 });
  });

  it("gives a message back at once, or after a delay", async () => {
    const queue = await fresh();
    await provider.sendBatch(queue, [{ n: 1 }, { n: 2 }]);
    const [a, b] = await take(queue);
    if (!a || !b) throw new Error("two deliveries expected");
    expect(await provider.nack(queue, [a])).toEqual([a.id]);
    expect(await provider.nack(queue, [b], 300)).toEqual([b.id]);
    expect(numbers(await take(queue))).toEqual([1]);
    const again = await provider.receive(queue, { ...HIDDEN, waitMs: 10_000 });
    expect(again).toMatchObject([{ message: { n: 2 }, readCount: 2 }]);
  });

  it("extends a delivery beyond its visibility timeout", async () => {
    const queue = await fresh();
    await provider.send(queue, { n: 1 });
    const [held] = await provider.receive(queue, { visibilityTimeoutMs: 400 });
    if (held === undefined) throw new Error("a delivery expected");
    expect(await provider.extend(queue, [held], 60_000)).toEqual([held.id]);
    expect(await provider.receive(queue, { ...HIDDEN, waitMs: 700 })).toEqual([]);
    expect(await provider.ack(queue, [held])).toEqual([held.id]);
  });

  it("takes an archived message out of the queue", async () => {
    const queue = await fresh();
    await provider.send(queue, { n: 1 });
    const [held] = await take(queue);
    if (held === undefined) throw new Error("a delivery expected");
    expect(await provider.archive(queue, [held])).toEqual([held.id]);
    expect(await provider.metrics(queue)).toMatchObject({ depth: 0, totalSent: 1 });
    expect(await provider.archive(queue, [held])).toEqual([]);
  });

  it("receives one message by its id, unless it is hidden or gone", async () => {
    const queue = await fresh();
    const [, wanted = 0n] = await provider.sendBatch(queue, [{ n: 1 }, { n: 2 }]);
    const found = await provider.receiveOne(queue, wanted, 60_000);
    expect(found).toMatchObject({ id: wanted, readCount: 1, message: { n: 2 } });
    expect(await provider.receiveOne(queue, wanted, 60_000)).toBeNull();
    expect(await provider.receiveOne(queue, 999_999n, 60_000)).toBeNull();
    expect(numbers(await take(queue))).toEqual([1]);
  });

  it("purges delivered, delayed and waiting messages", async () => {
    const queue = await fresh();
    await provider.sendBatch(queue, [{ n: 1 }, { n: 2 }]);
    await provider.send(queue, { n: 3 }, { delayMs: 60_000 });
    await take(queue, 1);
    expect(await provider.purge(queue)).toBe(3);
    expect(await provider.purge(queue)).toBe(0);
    expect(await provider.metrics(queue)).toMatchObject({ depth: 0, visible: 0, totalSent: 3 });
  });

  it("measures a queue", async () => {
    const queue = await fresh();
    expect(await provider.metrics(queue)).toEqual({
      queue,
      depth: 0,
      visible: 0,
      oldestAgeMs: null,
      newestAgeMs: null,
      totalSent: 0,
    });
    await provider.send(queue, { n: 1 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await provider.sendBatch(queue, [{ n: 2 }, { n: 3 }]);
    await take(queue, 1);
    const metrics = await provider.metrics(queue);
    expect(metrics).toMatchObject({ depth: 3, visible: 2, totalSent: 3 });
    const { oldestAgeMs, newestAgeMs } = metrics;
    expect((oldestAgeMs ?? 0) - (newestAgeMs ?? 0)).toBeGreaterThan(40);
    expect(oldestAgeMs).toBeLessThan(60_000);
    expect(newestAgeMs).toBeGreaterThanOrEqual(0);
  });

  it("delivers each message to one of many receivers", async () => {
    const queue = await fresh();
    await provider.sendBatch(
      queue,
      Array.from({ length: 200 }, (_, n) => ({ n })),
    );
    const seen: unknown[] = [];
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (;;) {
          const batch = await take(queue, 7);
          if (batch.length === 0) return;
          seen.push(...numbers(batch));
          await provider.ack(queue, batch);
        }
      }),
    );
    // Rows that another receiver holds are passed over, so somebody may have left early; nothing is lost or doubled.
    for (let batch = await take(queue); batch.length > 0; batch = await take(queue)) {
      seen.push(...numbers(batch));
      await provider.ack(queue, batch);
    }
    expect((seen as number[]).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 200 }, (_, n) => n),
    );
    expect((await provider.metrics(queue)).depth).toBe(0);
  });

  it("waits for a message that comes later, and for as long as it was told", async () => {
    const queue = await fresh();
    const startedAt = performance.now();
    expect(await provider.receive(queue, { ...HIDDEN, waitMs: 200 })).toEqual([]);
    expect(performance.now() - startedAt).toBeGreaterThan(190);
    const waiting = provider.receive(queue, { ...HIDDEN, waitMs: 20_000 });
    await provider.send(queue, { n: 1 });
    expect(numbers(await waiting)).toEqual([1]);
  });

  it("stops waiting when the signal aborts, with its reason, and takes nothing", async () => {
    const queue = await fresh();
    const stop = new AbortController();
    const reason = new Error("enough");
    const waiting = provider.receive(queue, { ...HIDDEN, waitMs: 60_000, signal: stop.signal });
    const rejected = expect(waiting).rejects.toBe(reason);
    stop.abort(reason);
    await rejected;
    await provider.send(queue, { n: 1 });
    await expect(provider.receive(queue, { ...HIDDEN, signal: stop.signal })).rejects.toBe(reason);
    expect(numbers(await take(queue))).toEqual([1]);
  });

  it("ends waiting receivers when it closes and refuses every later call", async () => {
    const closing = open();
    await closing.createQueue("closing");
    const waiting = closing.receive("closing", { ...HIDDEN, waitMs: 60_000 });
    const rejected = expect(waiting).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    await closing.close();
    await rejected;
    await closing.close();
    for (const call of [closing.send("closing", 1), closing.createQueue("x"), closing.listQueues()])
      await expect(call).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
  });
});

it("memory: a full queue refuses what it has no room for, whole", async () => {
  const provider = new MemoryProvider({ capacity: 3 });
  await provider.createQueue("small");
  await provider.sendBatch("small", [1, 2]);
  await expect(provider.sendBatch("small", [3, 4])).rejects.toMatchObject({ code: "QUEUE_FULL" });
  expect((await provider.metrics("small")).depth).toBe(2);
  await provider.send("small", 3);
  await provider.close();
});

it("pgmq: what is sent and acknowledged in a transaction ends with it", async () => {
  const outside = new PgmqProvider({ db: database.pool, pollIntervalMs: 10 });
  await outside.createQueue("transactional");
  await outside.send("transactional", { n: 1 });
  await database.pool.withConnection(async (db) => {
    await db.query("begin");
    const inside = new PgmqProvider({ db, pollIntervalMs: 10 });
    await inside.send("transactional", { n: 2 });
    const both = await inside.receive("transactional", { ...HIDDEN, limit: 10 });
    expect(await inside.ack("transactional", both)).toHaveLength(2);
    expect((await inside.metrics("transactional")).depth).toBe(0);
    await db.query("rollback");
  });
  const left = await outside.receive("transactional", { ...HIDDEN, limit: 10 });
  expect(left).toMatchObject([{ message: { n: 1 }, readCount: 1 }]);
  await outside.close();
});
