/** `TaskerClient` of the TypeScript SDK against a server, and a task that is defined in code, in the server's process. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  defineTask,
  getTaskerClient,
  registry,
  TaskerClient,
  TaskerClientError,
} from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { createTestDatabase, type TestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { TestApi } from "./support.js";

let database: TestDatabase;
let host: TestEngine;
let api: TestApi;
let client: TaskerClient;

const order = defineTask({
  name: "order",
  namespace: "code",
  version: "1.0.0",
  input: z.object({ amount: z.number() }),
  steps: (task) =>
    task
      .step("price", ({ input }) => ({ total: input.amount * 2 }))
      .step("charge", { dependsOn: ["price"] }, ({ price }) => ({ charged: price.total })),
});
const stuck = defineTask({
  name: "stuck",
  namespace: "code",
  version: "1.0.0",
  steps: { wait: { handler: "nobody.has.this" } },
});

beforeAll(async () => {
  database = await createTestDatabase();
  const handlers = order.handlers.map((handler) => [handler.handlerName, handler] as const);
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {},
    handlers: Object.fromEntries(handlers),
    codeTemplates: [order.toTemplate(), stuck.toTemplate()],
  });
  api = await TestApi.start(host);
  client = new TaskerClient({ baseUrl: api.server.url });
});

afterAll(async () => {
  registry.clear();
  await api?.server.stop();
  await host?.engine.stop();
  await database?.drop();
});

it("creates a task, waits for it, and reads its steps", async () => {
  expect((await client.healthCheck()).status).toBe("healthy");
  const created = await client.createTask({
    name: "order",
    namespace: "code",
    context: { amount: 21 },
    tags: ["a"],
  });
  expect(created).toMatchObject({ initiator: "tasker-core-typescript", tags: ["a"] });
  const task = await client.waitForCompletion(created.task_uuid, { pollIntervalMs: 20 });
  expect(task).toMatchObject({ status: "complete", execution_status: "all_complete" });
  const steps = await client.listTaskSteps(task.task_uuid);
  const charge = steps.find(({ name }) => name === "charge");
  expect(charge?.results).toMatchObject({ success: true, result: { charged: 42 } });
  const { step_uuid: stepUuid = "" } = charge ?? {};
  expect(await client.getStep(task.task_uuid, stepUuid)).toMatchObject({ name: "charge" });
  const [audit] = await client.getStepAuditHistory(task.task_uuid, stepUuid);
  expect(audit).toMatchObject({ success: true, step_name: "charge" });
  const listed = await client.listTasks({ namespace: "code", limit: 1 });
  expect(listed.pagination).toMatchObject({ page: 1, per_page: 1 });
  expect(await client.getTask(task.task_uuid)).toMatchObject({ name: "order" });
});

it("enforces the schema of the definition when a task is created", async () => {
  const refused = client.createTask({ name: "order", namespace: "code", context: { amount: "x" } });
  await expect(refused).rejects.toMatchObject({ statusCode: 400, recoverable: false });
});

it("gives up waiting with a word about where the task stands, and cancels", async () => {
  const created = await client.createTask({ name: "stuck", namespace: "code" });
  const waiting = client.waitForCompletion(created.task_uuid, {
    timeoutMs: 50,
    pollIntervalMs: 20,
  });
  await expect(waiting).rejects.toThrow(/is still .* after 50 ms: 0 of 1 steps are complete/);
  expect(await client.cancelTask(created.task_uuid)).toMatchObject({ status: "cancelled" });
});

it("says what the server said", async () => {
  const missing = client.getTask("00000000-0000-7000-8000-000000000000");
  await expect(missing).rejects.toBeInstanceOf(TaskerClientError);
  await expect(missing).rejects.toMatchObject({ statusCode: 404, code: "NOT_FOUND" });
  const nobody = getTaskerClient({ baseUrl: "http://127.0.0.1:1", maxRetries: 0 });
  await expect(nobody.healthCheck()).rejects.toMatchObject({ recoverable: true, statusCode: null });
});

it("makes one task although the first answer was lost", async () => {
  const lossy = await LossyProxy.start(api.server.url);
  try {
    const far = new TaskerClient({ baseUrl: lossy.url });
    const request = { name: "stuck", namespace: "code", idempotencyKey: "once" };
    const task = await far.createTask(request);
    expect(lossy.posts).toBe(2);
    const all = await client.listTasks({ namespace: "code", limit: 100 });
    const same = all.tasks.filter(({ correlation_id: id }) => id === task.correlation_id);
    expect(same.map(({ task_uuid: id }) => id)).toEqual([task.task_uuid]);
    await expect(client.createTask(request)).rejects.toMatchObject({ statusCode: 409 });
  } finally {
    lossy.close();
  }
});

/** Passes requests on, and loses the first answer to a POST. */
class LossyProxy {
  posts = 0;
  readonly #server: Server;

  private constructor(target: string) {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const isPost = request.method === "POST";
      const answer = await fetch(`${target}${request.url}`, {
        method: request.method ?? "GET",
        headers: { "content-type": "application/json" },
        ...(isPost ? { body: Buffer.concat(chunks) } : {}),
      });
      const text = await answer.text();
      if (isPost && ++this.posts === 1) {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.status, { "content-type": "application/json" }).end(text);
    });
  }

  static async start(target: string): Promise<LossyProxy> {
    const proxy = new LossyProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
