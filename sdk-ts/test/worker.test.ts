import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import manifest from "../package.json" with { type: "json" };
import * as eventsEntry from "../src/events/index.js";
import { parseBridgeAddress } from "../src/ffi/index.js";
import type { StepExecution } from "../src/host.js";
import {
  type BootstrapConfig,
  bootstrapWorker,
  createEventPoller,
  createLogger,
  createWorkerServer,
  defineHandler,
  EventNames,
  EventPoller,
  EventSystem,
  FfiLayer,
  type FfiModule,
  type FfiStepEvent,
  getFfiLayer,
  getRustVersion,
  getVersion,
  getWorkerStatus,
  HandlerRegistry,
  HandlerSystem,
  healthCheck,
  isWorkerRunning,
  logDebug,
  logError,
  logInfo,
  logTrace,
  logWarn,
  MetricsEventNames,
  PollerEventNames,
  ResolverChain,
  type ResolverConfig,
  ShutdownController,
  StepEventNames,
  StepExecutionSubscriber,
  setLoggingRuntime,
  stopWorker,
  TaskerEventEmitter,
  transitionToGracefulShutdown,
  WorkerEventNames,
  WorkerServer,
} from "../src/index.js";
import { stepEvent } from "./support/step-event.js";

/** A host in memory. */
class MemoryModule implements FfiModule {
  readonly closed: Promise<string>;
  readonly steps: FfiStepEvent[] = [];
  readonly answers: [string, StepExecution][] = [];
  readonly logged: [string, string, object][] = [];
  config: BootstrapConfig | null = null;
  #listeners = new Set<() => void>();
  #close: (why: string) => void = () => {};
  #isRunning = false;

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  offer(event: FfiStepEvent): void {
    this.steps.push(event);
    for (const listener of this.#listeners) listener();
  }

  async bootstrapWorker(config: BootstrapConfig) {
    if (config.address === "nowhere") {
      return { success: false, status: "error", message: "Cannot join: nobody" } as const;
    }
    const status = this.#isRunning ? "already_running" : "started";
    this.#isRunning = true;
    this.config = config;
    return { success: true, status, message: "joined" } as const;
  }
  async stopWorker() {
    this.#isRunning = false;
    this.#close("drained");
    return { success: true, status: "stopped", message: "gone" } as const;
  }
  transitionToGracefulShutdown = () => this.stopWorker();
  getWorkerStatus() {
    const running = this.#isRunning;
    const status = running ? "connected" : "stopped";
    return { success: true, running, status, workerId: "w", handlerCount: 1, inFlight: 0 } as const;
  }
  isWorkerRunning = () => this.#isRunning;
  getVersion = () => "0";
  healthCheck = () => this.#isRunning;
  pollStepEvents = () => this.steps.shift() ?? null;
  stepControl = () => null;
  completeStepEvent(id: string, execution: StepExecution): boolean {
    this.answers.push([id, execution]);
    return true;
  }
  pollInProcessEvents = () => null;
  onArrival(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  log(level: string, message: string, fields: object): void {
    this.logged.push([level, message, fields]);
  }
}

const until = async (check: () => boolean): Promise<void> => {
  await vi.waitFor(() => expect(check()).toBe(true), { timeout: 10_000, interval: 5 });
};

function registryWith(...handlers: ReturnType<typeof defineHandler>[]): HandlerRegistry {
  const registry = new HandlerRegistry(ResolverChain.standard());
  for (const handler of handlers) registry.register(handler.handlerName, handler);
  return registry;
}

const folders: string[] = [];
afterEach(() => {
  setLoggingRuntime(null);
  ResolverChain.resetDefault();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function handlerFolder(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "tasker-handlers-"));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe("events", () => {
  it("have the names of the contract", () => {
    expect(Object.values(StepEventNames).sort()).toEqual([
      "step.checkpoint_yield.sent",
      "step.completion.sent",
      "step.execution.completed",
      "step.execution.failed",
      "step.execution.received",
      "step.execution.started",
      "step.execution.timeout",
    ]);
    expect(Object.values(WorkerEventNames)).toEqual([
      "worker.started",
      "worker.ready",
      "worker.shutdown.started",
      "worker.stopped",
      "worker.error",
    ]);
    expect(Object.values(PollerEventNames)).toEqual([
      "poller.started",
      "poller.stopped",
      "poller.cycle.complete",
      "poller.starvation.detected",
      "poller.error",
    ]);
    expect(Object.values(MetricsEventNames)).toEqual(["metrics.updated", "metrics.error"]);
    expect(Object.keys(EventNames)).toHaveLength(19);
    expect(eventsEntry.TaskerEventEmitter).toBe(TaskerEventEmitter);
  });

  it("reach every listener, also behind one that throws", () => {
    const emitter = new TaskerEventEmitter();
    const heard: string[] = [];
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    emitter.on("worker.ready", () => {
      throw new Error("mine");
    });
    emitter.once("worker.ready", ({ workerId, timestamp }) => {
      heard.push(`${workerId} ${timestamp instanceof Date}`);
    });
    expect(emitter.emit("worker.ready", { workerId: "w" })).toBe(true);
    expect(emitter.emit("worker.ready", { workerId: "again" })).toBe(true);
    expect(stderr.mock.calls.flat().join("")).toContain("A listener of worker.ready failed: mine");
    stderr.mockRestore();
    expect(heard).toEqual(["w true"]);
    expect(emitter.removeAllListeners().emit("worker.ready", { workerId: "w" })).toBe(false);
  });
});

describe("EventPoller", () => {
  it("asks by interval when the module cannot say that something came", async () => {
    const steps = [stepEvent({ callable: "a" }), stepEvent({ callable: "b" })];
    const emitter = new TaskerEventEmitter();
    const seen: string[] = [];
    emitter.on("step.execution.received", ({ event }) => {
      seen.push(event.stepDefinition.handlerCallable);
    });
    const module = { pollStepEvents: () => steps.shift() ?? null };
    const poller = createEventPoller(module, emitter, { pollIntervalMs: 1 });
    expect(poller).toBeInstanceOf(EventPoller);
    poller.start();
    expect(poller.getState()).toBe("running");
    await until(() => poller.getPollCount() > 3);
    await poller.stop();
    expect(seen).toEqual(["a", "b"]);
    expect(poller.metrics.stepEvents).toBe(2);
  });

  it("reports what the module throws and goes on", async () => {
    const emitter = new TaskerEventEmitter();
    const errors: string[] = [];
    emitter.on("poller.error", ({ error }) => errors.push(error.message));
    const module = {
      pollStepEvents: () => {
        throw new Error("gone");
      },
    };
    const poller = new EventPoller(module, emitter, { pollIntervalMs: 1 });
    poller.start();
    await until(() => errors.length > 2);
    await poller.stop();
    expect(new Set(errors)).toEqual(new Set(["gone"]));
  });
});

describe("StepExecutionSubscriber", () => {
  it("runs no more at once than it may, keeps the others waiting, and answers each", async () => {
    const module = new MemoryModule();
    let running = 0;
    let most = 0;
    const handler = defineHandler("slow", {}, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      return { done: true };
    });
    const emitter = new TaskerEventEmitter();
    const told: string[] = [];
    for (const name of Object.values(StepEventNames)) emitter.on(name, () => told.push(name));
    const subscriber = new StepExecutionSubscriber(emitter, registryWith(handler), module, {
      maxConcurrent: 2,
    });
    subscriber.start();
    for (let i = 0; i < 5; i++) {
      emitter.emit("step.execution.received", { event: stepEvent({ callable: "slow" }) });
    }
    expect(subscriber.getActiveHandlers()).toBe(2);
    expect(await subscriber.waitForCompletion()).toBe(true);
    expect([most, module.answers.length]).toEqual([2, 5]);
    expect([subscriber.getProcessedCount(), subscriber.getErrorCount()]).toEqual([5, 0]);
    expect(told.filter((name) => name === "step.completion.sent")).toHaveLength(5);
    subscriber.stop();
    expect(subscriber.isRunning()).toBe(false);
  });

  it("tells of failures and timeouts", async () => {
    const module = new MemoryModule();
    const hangs = defineHandler("hangs", {}, () => new Promise(() => {}));
    const system = new EventSystem(module, registryWith(hangs), {
      subscriber: { handlerTimeoutMs: 20 },
    });
    const told: string[] = [];
    system.getEmitter().on("step.execution.timeout", ({ timeoutMs }) => told.push(`${timeoutMs}`));
    system.getEmitter().on("step.execution.failed", ({ error }) => told.push(error.message));
    system.start();
    module.offer(stepEvent({ callable: "hangs" }));
    module.offer(stepEvent({ callable: "unknown" }));
    await until(() => told.length === 3);
    expect(told.sort()).toEqual([
      "20",
      "Handler execution timed out after 20ms",
      "Handler not found: unknown",
    ]);
    expect(system.getStats()).toMatchObject({ running: true, errorCount: 2, activeHandlers: 1 });
    // The handler that hangs keeps its slot.
    expect(await system.stop(10)).toBe(false);
  });
});

describe("WorkerServer", () => {
  const HANDLER = `export class Hello {
    static handlerName = "hello"; static handlerVersion = "2.0.0"; name = "hello";
    async call(context) { return { greeting: "hello " + context.getInput("name") } }
  }`;

  it("loads handlers, joins, runs steps and stops", async () => {
    const module = new MemoryModule();
    const server = new WorkerServer({ module });
    expect(server.getState()).toBe("initialized");
    const told: string[] = [];
    for (const name of Object.values(WorkerEventNames)) {
      server.getEventEmitter().on(name, () => told.push(name));
    }
    server.onShutdown(() => void told.push("handler"));
    const handlers = [handlerFolder({ "hello.mjs": HANDLER })];
    expect(await server.start({ handlers, maxConcurrentHandlers: 3 })).toBe(server);
    expect(module.config).toMatchObject({
      slots: 3,
      handlers: [{ callable: "hello", kind: "step", version: "2.0.0" }],
    });
    expect(server.getWorkerId()).toMatch(/^typescript-worker-[0-9a-f-]{36}$/);
    module.offer(stepEvent({ callable: "hello", context: { name: "you" } }));
    await until(() => module.answers.length === 1);
    expect(module.answers[0]?.[1]).toMatchObject({ valueJson: '{"greeting":"hello you"}' });
    expect(await server.healthCheck()).toMatchObject({ healthy: true });
    expect(server.status()).toMatchObject({ state: "running", running: true, processedCount: 1 });
    expect(server.getHandlerSystem().listHandlers()).toEqual(["hello"]);
    expect(server.getEventSystem()?.isRunning()).toBe(true);
    await server.shutdown();
    expect(server.isRunning()).toBe(false);
    expect(told).toEqual([
      "worker.started",
      "worker.ready",
      "worker.shutdown.started",
      "handler",
      "worker.stopped",
    ]);
    await expect(server.start()).rejects.toThrow("this one is stopped");
  });

  it("says why it cannot start", async () => {
    const server = createWorkerServer({ module: new MemoryModule() });
    await expect(server.start({ address: "nowhere" })).rejects.toThrow("Cannot join: nobody");
    expect(await server.healthCheck()).toMatchObject({ healthy: false, error: "It is error" });
  });

  it("ends with its host", async () => {
    const module = new MemoryModule();
    const server = await new WorkerServer({ module }).start();
    await module.stopWorker();
    await until(() => server.getState() === "stopped");
    expect(await server.untilClosed()).toBe("drained");
  });
});

describe("bootstrap functions", () => {
  it("go to the module that is given, else to the one that joined last", async () => {
    const module = new MemoryModule();
    expect(await bootstrapWorker(undefined, module)).toMatchObject({ status: "started" });
    expect(await bootstrapWorker({}, module)).toMatchObject({ status: "already_running" });
    expect([isWorkerRunning(), healthCheck(module)]).toEqual([true, true]);
    expect(getWorkerStatus()).toMatchObject({ running: true, status: "connected" });
    expect(await transitionToGracefulShutdown()).toMatchObject({ status: "stopped" });
    expect(await stopWorker(module)).toMatchObject({ success: true });
    expect(isWorkerRunning(module)).toBe(false);
    expect([getVersion(), getRustVersion()]).toEqual([manifest.version, manifest.version]);
  });

  it("refuse addresses that TASKER_BRIDGE cannot name", () => {
    expect(parseBridgeAddress("tcp:[::1]:7433")).toEqual({ kind: "tcp", host: "::1", port: 7433 });
    expect(() => parseBridgeAddress("http://x")).toThrow("expected fd:<n>, stdio, unix:<path>");
  });
});

describe("FfiLayer", () => {
  it("gives its module once it is loaded", async () => {
    const module = new MemoryModule();
    const layer = new FfiLayer({ module });
    expect(() => layer.getModule()).toThrow("call load() first");
    await layer.load();
    expect([layer.isLoaded(), layer.getModule(), layer.getRuntime()]).toEqual([
      true,
      module,
      "node",
    ]);
    await layer.unload();
    expect(layer.isLoaded()).toBe(false);
    expect(getFfiLayer()).toBe(getFfiLayer());
  });
});

describe("ShutdownController", () => {
  it("takes the first signal and runs every handler", async () => {
    const controller = new ShutdownController();
    const ran: string[] = [];
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    controller.onShutdown(() => {
      throw new Error("mine");
    });
    controller.onShutdown(async () => void ran.push("second"));
    controller.trigger("SIGTERM");
    controller.trigger("SIGINT");
    expect([await controller.promise, controller.signal]).toEqual(["SIGTERM", "SIGTERM"]);
    await controller.executeHandlers();
    stderr.mockRestore();
    expect([controller.isRequested, ran]).toEqual([true, ["second"]]);
    controller.reset();
    expect(controller.isRequested).toBe(false);
  });
});

describe("HandlerSystem", () => {
  it("loads from paths and from the environment, and says what it could not load", async () => {
    const folder = handlerFolder({
      "index.mjs": "",
      "a.mjs": 'export class A { static handlerName = "a"; call() {} }',
      "b.mjs": 'throw new Error("broken")',
      "_skipped.mjs": 'export class S { static handlerName = "s"; call() {} }',
    });
    const system = new HandlerSystem(new HandlerRegistry(ResolverChain.standard()));
    await system.initialize();
    expect(system.initialized).toBe(true);
    vi.stubEnv("TYPESCRIPT_HANDLER_PATH", folder);
    expect(await system.loadFromEnv()).toBe(1);
    vi.unstubAllEnvs();
    expect(await system.loadFromPath(join(folder, "missing"))).toBe(0);
    expect(system.problems).toHaveLength(2);
    expect(system.problems[0]).toContain("broken");
    system.register(
      "b",
      defineHandler("b", {}, () => 1),
    );
    expect([system.listHandlers(), system.handlerCount()]).toEqual([["a", "b"], 2]);
    expect((await system.resolve("b"))?.name).toBe("b");
    expect(system.unregister("b")).toBe(true);
    expect(system.isRegistered("b")).toBe(false);
    const config: ResolverConfig | undefined = undefined;
    system.addResolver({
      name: "own",
      priority: 5,
      canResolve: () => config !== undefined,
      resolve: () => null,
    });
    expect(system.getResolver("own")?.priority).toBe(5);
    expect(system.listResolvers()[0]).toEqual(["own", 5]);
    expect(system.getResolverChain()).toBe(system.getRegistry().getResolverChain());
    expect(system.debugInfo()).toMatchObject({ initialized: true, handlerCount: 1 });
    system.clear();
    expect(system.handlerCount()).toBe(0);
  });
});

describe("logging", () => {
  it("goes to whoever takes it, with the logger's own fields", () => {
    const records: unknown[] = [];
    setLoggingRuntime((...record) => records.push(record));
    const logger = createLogger({ component: "shop" });
    logger.info("sold", { order: 7 });
    for (const log of [logError, logWarn, logInfo, logDebug, logTrace]) log("x");
    expect(records[0]).toEqual(["info", "sold", { component: "shop", order: 7 }]);
    expect(records.slice(1).map((record) => (record as string[])[0])).toEqual([
      "error",
      "warn",
      "info",
      "debug",
      "trace",
    ]);
  });

  it("goes to standard error without a host", () => {
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    logWarn("low", { left: 2 });
    const written = stderr.mock.calls.flat().join("");
    stderr.mockRestore();
    expect(written).toMatch(/^\[\d{4}-.*Z\] WARN: low \{"left":2\}\n$/);
  });
});
