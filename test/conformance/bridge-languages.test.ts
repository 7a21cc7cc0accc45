/** The bridge's host against the real Python and Ruby processes and their reference handlers. */
import { spawnSync } from "node:child_process";
import { afterEach, describe, expect, it } from "vitest";
import { BRIDGE_COMMANDS } from "../../bench/bridge.js";
import type { StepOutcome } from "../../core/src/channels/index.js";
import { textPayload } from "../../core/src/worker/step-payload.js";
import { BridgeRig, isAlive } from "../../core/test/bridge/fixtures/rig.js";
import { createDelivery } from "../../core/test/support/deliveries.js";
import { waitFor } from "../../core/test/support/wait-for.js";

const SLOTS = 8;
const languages = [
  { language: "python", probe: "python3" },
  { language: "ruby", probe: "ruby" },
].map((one) => ({ ...one, isInstalled: spawnSync(one.probe, ["--version"]).status === 0 }));

describe.each(languages)(
  "$language (skipped when it is not installed)",
  ({ language, isInstalled }) => {
    const rigs: BridgeRig[] = [];

    async function startedRig(processes = 1): Promise<BridgeRig> {
      const command = BRIDGE_COMMANDS[language]!(SLOTS);
      const rig = new BridgeRig({
        language,
        ...command,
        processes,
        cancelGraceMs: 1000,
        drainGraceMs: 500,
      });
      rigs.push(rig);
      await rig.start();
      return rig;
    }

    afterEach(async () => {
      const pids = rigs.flatMap((rig) => rig.pids);
      await Promise.all(rigs.splice(0).map((rig) => rig.supervisor.stop({ graceMs: 2000 })));
      expect(pids.filter(isAlive), "handler processes left behind").toEqual([]);
    });

    it.runIf(isInstalled)("registers its handlers and returns numbers as they came", async () => {
      const rig = await startedRig();
      const context =
        '{"big":9007199254740993,"int":3,"float":3.0,"text":"größe 漢字 😀","__proto__":1}';
      const event = `{"task":{"task":{"context":${context}},"task_name":"t","task_version":"1","namespace_name":"n"},"workflow_step":{"name":"s"},"dependency_results":{},"step_definition":{"name":"s","handler":{"callable":"reference.echo"}}}`;
      const payload = textPayload(() => event, "null");
      const outcome = await rig.run({ callable: "reference.echo", payload });
      const text = valueText(outcome).replaceAll(/\s*([:,])\s*/g, "$1");
      expect(text).toContain('"big":9007199254740993');
      expect(text).toContain('"int":3,');
      expect(text).toContain('"float":3.0');
      expect(JSON.parse(text)).toMatchObject({ text: "größe 漢字 😀" });
      expect(Object.hasOwn(JSON.parse(text) as object, "__proto__")).toBe(true);
    });

    it.runIf(isInstalled)("fails permanently or not, as the handler says", async () => {
      const rig = await startedRig();
      const failed = await rig.run(
        { callable: "reference.fail" },
        { message: "no stock", permanent: true },
      );
      expect(failed).toMatchObject({
        outcome: "failure",
        kind: "handler",
        message: "no stock",
        retryable: false,
      });
      const retryable = await rig.run({ callable: "reference.fail" }, { retry_after: 7 });
      expect(retryable).toMatchObject({ outcome: "failure", retryable: true, retryAfterMs: 7000 });
      expect(await rig.run({ callable: "reference.no_such" })).toMatchObject({
        kind: "handler_not_found",
      });
    });

    it.runIf(isInstalled)("whatever is printed is a log line, not a frame", async () => {
      const rig = await startedRig();
      const [pid] = rig.pids;
      for (let i = 0; i < 3; i++)
        expect(valueText(await rig.run({ callable: "reference.print" }))).toContain("printed");
      expect(rig.pids).toEqual([pid]);
      await waitFor("printed lines", () =>
        rig.log.some(
          (record) =>
            String(record["msg"]).includes("garbage on std") ||
            String(record["msg"]).includes("reference.print on"),
        ),
      );
    });

    it.runIf(isInstalled)("a result too large or impossible to write costs its step", async () => {
      const rig = await startedRig();
      const [pid] = rig.pids;
      const big = await rig.run({ callable: "reference.big" }, { bytes: 17 * 1024 * 1024 });
      expect(big).toMatchObject({
        outcome: "failure",
        kind: "payload_too_large",
        retryable: false,
      });
      const bad = await rig.run({ callable: "reference.bad_value" }, { value: "nan", kind: "nan" });
      expect(bad).toMatchObject({ outcome: "failure", kind: "invalid_result", retryable: false });
      expect(rig.pids).toEqual([pid]);
    });

    it.runIf(isInstalled)("a step stops at its deadline", async () => {
      const rig = await startedRig();
      const outcome = await rig.run(
        { callable: "reference.sleep", timeoutMs: 200 },
        { ms: 60_000 },
      );
      expect(outcome).toMatchObject({
        kind: "timeout",
        errorType: "handler_timeout",
        retryable: true,
      });
      await waitFor("a free slot", () => rig.supervisor.freeSlots === SLOTS);
    });

    it.runIf(isInstalled)("logs with the level and message the handler gave", async () => {
      const rig = await startedRig();
      await rig.run({ callable: "reference.log" }, { count: 2, message: "reference log" });
      await waitFor("the record", () =>
        rig.log.some((record) => String(record["msg"]).startsWith("reference log")),
      );
    });

    it.runIf(isInstalled)(
      "a process that exits gives its step back, and another takes over",
      async () => {
        const rig = await startedRig();
        await rig.run({ callable: "reference.echo" });
        const outcome = await rig.run({ callable: "reference.exit" }, { code: 5 });
        expect(outcome).toMatchObject({ outcome: "lost", reason: "worker_lost", alone: true });
        expect(outcome.outcome === "lost" && outcome.message).toContain("code 5");
        expect(valueText(await rig.run({ callable: "reference.echo" }))).toBe("{}");
      },
    );

    it.runIf(isInstalled)("kill -9 under load: every step is answered exactly once", async () => {
      const rig = await startedRig(2);
      await waitFor("both processes", () => rig.pids.length === 2);
      const all = Array.from({ length: 300 }, () =>
        rig.offer({ callable: "reference.sleep" }, { ms: 2 }),
      );
      await waitFor("some answers", () => rig.answers.length > 30);
      process.kill(rig.pids[0]!, "SIGKILL");
      const outcomes = await Promise.all(all.map((delivery) => rig.outcomeOf(delivery)));
      const lost = outcomes.filter((outcome) => outcome.outcome === "lost");
      expect(lost.length).toBeLessThanOrEqual(SLOTS);
      expect(outcomes.filter((outcome) => outcome.outcome === "success").length).toBe(
        300 - lost.length,
      );
      expect(rig.answers).toHaveLength(300);
    });

    it.runIf(isInstalled)(
      "SIGTERM: the process finishes what it has while another takes over",
      async () => {
        const rig = await startedRig();
        const [pid] = rig.pids;
        const running = rig.offer({ callable: "reference.sleep" }, { ms: 400 });
        await waitFor("the step to run", () => rig.supervisor.metrics().inFlight === 1);
        process.kill(pid!, "SIGTERM");
        expect(valueText(await rig.outcomeOf(running))).toContain("slept_ms");
        expect(valueText(await rig.run({ callable: "reference.echo" }))).toBe("{}");
        await waitFor("the old process to be gone", () => !isAlive(pid!));
        expect(rig.supervisor.metrics().crashed).toBe(0);
      },
    );

    it.runIf(isInstalled)("finishes what runs when it is stopped", async () => {
      const rig = await startedRig();
      const delivery = createDelivery({ callable: "reference.sleep" }, { ms: 300 });
      rig.channel.offer(delivery);
      await waitFor("the step to run", () => rig.supervisor.metrics().inFlight === 1);
      const startedAt = performance.now();
      await rig.supervisor.stop({ graceMs: 10_000 });
      expect(valueText(await rig.outcomeOf(delivery))).toContain("slept_ms");
      expect(performance.now() - startedAt, "the process exits by itself").toBeLessThan(9000);
    });
  },
);

function valueText(outcome: StepOutcome): string {
  if (outcome.outcome !== "success")
    throw new Error(`Expected success, got ${JSON.stringify(outcome)}`);
  return Buffer.from(outcome.value).toString();
}
