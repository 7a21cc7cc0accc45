/** Handler processes written in TypeScript, on Node, Bun and Deno: `tasker-worker` as users start it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { BridgeSupervisorOptions } from "../../src/bridge/index.js";
import type { StepOutcome } from "../../src/channels/index.js";
import { textPayload } from "../../src/worker/step-payload.js";
import { waitFor } from "../support/wait-for.js";
import { BridgeRig, isAlive } from "./fixtures/rig.js";
import {
  buildTypeScriptProgram,
  missing,
  type Runtime,
  type TypeScriptProgram,
} from "./fixtures/typescript-program.js";

let program: TypeScriptProgram;
const rigs: BridgeRig[] = [];

beforeAll(() => {
  program = buildTypeScriptProgram();
});
afterEach(async () => {
  const pids = rigs.flatMap((rig) => rig.pids);
  await Promise.all(rigs.splice(0).map((rig) => rig.supervisor.stop({ graceMs: 2000 })));
  expect(pids.filter(isAlive), "handler processes left behind").toEqual([]);
});
afterAll(() => program.remove());

async function startedRig(
  runtime: Runtime,
  slots = 8,
  options: Partial<BridgeSupervisorOptions> = {},
): Promise<BridgeRig> {
  const rig = new BridgeRig({
    ...program.commandFor(runtime, "--slots", String(slots)),
    cwd: program.folder,
    ...options,
  });
  rigs.push(rig);
  await rig.start();
  return rig;
}

function resultOf(outcome: StepOutcome): unknown {
  if (outcome.outcome !== "success") throw new Error(JSON.stringify(outcome));
  return JSON.parse(Buffer.from(outcome.value).toString());
}

// Deno cannot use an inherited descriptor that is not a standard stream: it joins, or takes the stdio lane.
for (const runtime of ["node", "bun"] as const) {
  const why = missing(runtime);
  if (why !== null) process.stderr.write(`skipped: ${why}\n`);
  describe.skipIf(why !== null)(`as a child on ${runtime}`, { timeout: 60_000 }, () => {
    it("runs steps and says how they end", async () => {
      const templates: unknown[] = [];
      const rig = await startedRig(runtime, 8, {
        onTemplates: async (list) => void templates.push(...list),
      });
      expect(templates).toMatchObject([{ name: "order", namespace_name: "shop" }]);
      const context = { text: "é\u{1f600}", list: [1, null, { a: 1.5 }] };
      expect(resultOf(await rig.run({ callable: "echo" }, context))).toEqual(context);
      expect(resultOf(await rig.run({ callable: "shop.order.one@0.1.0" }))).toEqual({ one: 1 });
      expect(await rig.run({ callable: "fail" })).toMatchObject({
        outcome: "failure",
        kind: "handler",
        errorType: "retryable_error",
        message: "no such order",
        retryable: true,
        retryAfterMs: 1500,
      });
      expect(await rig.run({ callable: "refuse" })).toMatchObject({
        errorType: "permanent_error",
        retryable: false,
      });
      expect(await rig.run({ callable: "nobody" })).toMatchObject({ kind: "handler_not_found" });
      expect(await rig.run({ callable: "odd" })).toMatchObject({ kind: "invalid_result" });
      expect(await rig.run({ callable: "big" })).toMatchObject({ kind: "payload_too_large" });
      expect(resultOf(await rig.run({ callable: "count" }))).toEqual({ counted: 3 });
    });

    it("stops a step at its deadline and when it is cancelled", async () => {
      const rig = await startedRig(runtime);
      expect(await rig.run({ callable: "sleep", timeoutMs: 100 })).toMatchObject({
        outcome: "failure",
        kind: "timeout",
        retryable: true,
      });
      const delivery = rig.offer({ callable: "sleep" });
      await waitFor("the step to run", () => rig.supervisor.metrics().inFlight === 1);
      rig.channel.cancel(delivery.deliveryId, "task_cancelled");
      expect(await rig.outcomeOf(delivery)).toMatchObject({ kind: "cancelled" });
    });

    it("sends logs and keeps what handlers print away from the channel", async () => {
      const rig = await startedRig(runtime);
      await rig.run({ callable: "speak" });
      const wanted = ["from the step", "from the process", "a plain line", "a console line"];
      await waitFor("the lines", () =>
        wanted.every((text) => rig.log.some((record) => record["msg"] === text)),
      );
      const record = rig.log.find((one) => one["msg"] === "from the step");
      expect(record).toMatchObject({ fields: { order: "7" } });
    });

    it("makes the domain events that a template declares", async () => {
      const rig = await startedRig(runtime);
      const declared = { name: "order.sold", condition: "success", publisher: "OrderPublisher" };
      const event = {
        task: { task: { context: {} }, task_name: "t", task_version: "1", namespace_name: "n" },
        workflow_step: { name: "step" },
        dependency_results: {},
        step_definition: { name: "step", publishes_events: [declared] },
      };
      const payload = textPayload(() => JSON.stringify(event), "null");
      const outcome = await rig.run({ callable: "echo", payload });
      if (outcome.outcome !== "success") throw new Error(JSON.stringify(outcome));
      const [made] = outcome.events ?? [];
      expect(made).toMatchObject({ name: "order.sold", publisher: "OrderPublisher" });
      expect(Buffer.from(made?.payload ?? []).toString()).toBe('{"published":true}');
    });

    it("lets steps finish when it is asked to go", async () => {
      const rig = await startedRig(runtime);
      const delivery = rig.offer({ callable: "stubborn" }, { ms: 300 });
      await waitFor("the step to run", () => rig.supervisor.metrics().inFlight === 1);
      process.kill(rig.pids[0]!, "SIGTERM");
      expect(resultOf(await rig.outcomeOf(delivery))).toEqual({ done: true });
    });
  });
}
