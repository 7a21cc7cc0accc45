import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { BridgeSupervisorOptions } from "../../src/bridge/index.js";
import type { StepOutcome } from "../../src/channels/index.js";
import { isTaskerError, messageOf } from "../../src/errors/index.js";
import { textPayload } from "../../src/worker/step-payload.js";
import { waitFor } from "../support/wait-for.js";
import { buildPeerProgram } from "./fixtures/peer-program.js";
import { BridgeRig, isAlive } from "./fixtures/rig.js";

let program: ReturnType<typeof buildPeerProgram>;
const rigs: BridgeRig[] = [];

beforeAll(() => {
  program = buildPeerProgram();
});
afterEach(async () => {
  const pids = rigs.flatMap((rig) => rig.pids);
  await Promise.all(rigs.splice(0).map((rig) => rig.supervisor.stop({ graceMs: 500 })));
  expect(pids.filter(isAlive), "handler processes left behind").toEqual([]);
});
afterAll(() => program.remove());

function createRig(
  options: Partial<BridgeSupervisorOptions> = {},
  mode = "good",
  slots = 8,
): BridgeRig {
  const rig = new BridgeRig({
    command: process.execPath,
    args: [program.path],
    env: { TEST_PEER_MODE: mode, TEST_PEER_SLOTS: String(slots) },
    ...options,
  });
  rigs.push(rig);
  return rig;
}

async function startedRig(
  options: Partial<BridgeSupervisorOptions> = {},
  mode = "good",
  slots = 8,
): Promise<BridgeRig> {
  const rig = createRig(options, mode, slots);
  await rig.start();
  return rig;
}

function valueText(outcome: StepOutcome): string {
  if (outcome.outcome !== "success")
    throw new Error(`Expected success, got ${JSON.stringify(outcome)}`);
  return Buffer.from(outcome.value).toString();
}

async function startError(rig: BridgeRig): Promise<string> {
  const error = await rig.start().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(isTaskerError(error, "PEER_HANDSHAKE_FAILED")).toBe(true);
  return messageOf(error);
}

describe("steps", () => {
  it("start gives the handlers that can be run", async () => {
    const rig = createRig();
    const handlers = await rig.start();
    expect(handlers).toContainEqual(expect.objectContaining({ callable: "echo", kind: "step" }));
  });

  it("hands on the templates of every process before start is done", async () => {
    const given: unknown[] = [];
    const rig = createRig({ onTemplates: async (list) => void given.push(...list) }, "defines");
    await rig.start();
    expect(given).toEqual([{ name: "order", steps: [] }]);
    process.kill(rig.pids[0]!, "SIGKILL");
    await waitFor("the next process's templates", () => given.length === 2);
  });

  it("does not start when templates cannot be stored", async () => {
    const onTemplates = () => Promise.reject(new Error("the database is gone"));
    const rig = createRig({ onTemplates }, "defines");
    await expect(rig.start()).rejects.toThrow("the database is gone");
  });

  it("hands the event over byte for byte and the result back", async () => {
    const rig = await startedRig();
    const event = '{"task":{"task":{"context":{"big":9007199254740993,"one":1.0}}}}';
    const payload = textPayload(() => event, "null");
    expect(valueText(await rig.run({ payload }))).toBe(event);
  });

  it("gives a failure with all that the handler said", async () => {
    const rig = await startedRig();
    const outcome = await rig.run({ callable: "fail" });
    expect(outcome).toMatchObject({
      outcome: "failure",
      kind: "handler",
      errorType: "OrderError",
      message: "no such order",
      retryable: true,
      retryAfterMs: 1500,
    });
    const detail = outcome.outcome === "failure" && outcome.detail;
    expect(Buffer.from(detail || "").toString()).toBe('{"backtrace":["line 1"]}');
  });

  it("never has more unanswered deliveries in a process than it has slots", async () => {
    const rig = await startedRig({}, "good", 3);
    const all = Array.from({ length: 20 }, () => rig.offer({ callable: "sleep" }, { ms: 5 }));
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, rig.supervisor.metrics().inFlight);
    }, 1);
    await Promise.all(all.map((delivery) => rig.outcomeOf(delivery)));
    clearInterval(watch);
    expect(most).toBeLessThanOrEqual(3);
  });

  it("spreads over several processes", async () => {
    const rig = await startedRig({ processes: 2 }, "good", 4);
    await waitFor("both processes", () => rig.pids.length === 2);
    const all = Array.from({ length: 8 }, () => rig.offer({ callable: "sleep" }, { ms: 100 }));
    await Promise.all(all.map((delivery) => rig.outcomeOf(delivery)));
    expect(new Set(rig.answers.map((answer) => answer.workerName)).size).toBe(2);
  });

  it("a full completion channel keeps the slot, and loses nothing", async () => {
    const rig = await startedRig({ pingMs: 100 }, "good", 1);
    rig.hold();
    const all = Array.from({ length: 4 }, () => rig.offer({ callable: "print" }));
    await waitFor("an answer that waits for room", () => rig.completions.waitingCount === 1);
    expect(rig.supervisor.freeSlots).toBe(0);
    expect(rig.channel.queued.shared).toBe(1);
    rig.release();
    await Promise.all(all.map((delivery) => rig.outcomeOf(delivery)));
    expect(rig.answers).toHaveLength(4);
    expect(rig.supervisor.freeSlots).toBe(1);
  });
});

describe("bad answers cost one step", () => {
  it.each([
    ["bad_json", { kind: "invalid_result", retryable: false }],
    ["oversize", { kind: "payload_too_large", retryable: false }],
    ["nobody", { kind: "handler_not_found", retryable: false }],
  ])("%s", async (callable, expected) => {
    const rig = await startedRig();
    const [pid] = rig.pids;
    expect(await rig.run({ callable })).toMatchObject({ outcome: "failure", ...expected });
    expect(valueText(await rig.run({ callable: "print" }))).toBe("1");
    expect(rig.pids).toEqual([pid]);
  });

  it("a second answer is stale, not a second completion", async () => {
    const rig = await startedRig();
    expect(valueText(await rig.run({ callable: "twice" }))).toBe("1");
    await waitFor("the second answer", () => rig.supervisor.metrics().stale === 1);
    expect(rig.answers).toHaveLength(1);
  });

  it("an event larger than the process takes is not sent", async () => {
    const rig = await startedRig();
    const payload = textPayload(() => " ".repeat(17 * 1024 * 1024), "null");
    const outcome = await rig.run({ payload });
    expect(outcome).toMatchObject({ kind: "payload_too_large", retryable: false });
  });

  it("events are declined without hanging up", async () => {
    const rig = await startedRig();
    const [pid] = rig.pids;
    expect(valueText(await rig.run({ callable: "events" }))).toBe("1");
    expect(valueText(await rig.run({ callable: "print" }))).toBe("1");
    expect(rig.pids).toEqual([pid]);
  });

  it("a checkpoint yield is stored, acknowledged, and the step goes on with it", async () => {
    const rig = await startedRig();
    const outcome = await rig.run({ callable: "checkpoint" });
    expect(JSON.parse(valueText(outcome))).toEqual({
      checkpoint: { cursor: 1, items_processed: 1, accumulated_results: { sum: 1 } },
      acks: [
        { id: rig.yields[0]?.delivery.deliveryId, kind: "checkpoint", seq: 0, status: "committed" },
      ],
    });
    expect(rig.yields).toHaveLength(1);
    expect(rig.supervisor.metrics().inFlight).toBe(0);
  });

  it("a yielding step takes its own slot again, ahead of what waits", async () => {
    const rig = await startedRig({}, "good", 1);
    rig.hold();
    const yielding = rig.offer({ callable: "checkpoint" });
    await waitFor("the yield", () => rig.completions.size === 1);
    const waiting = rig.offer({ callable: "echo" });
    expect([rig.channel.queued.shared, rig.supervisor.freeSlots]).toEqual([1, 0]);
    rig.release();
    await Promise.all([yielding, waiting].map((delivery) => rig.outcomeOf(delivery)));
    expect(rig.answers.map(({ delivery }) => delivery.callable)).toEqual(["checkpoint", "echo"]);
  });

  it("a yield whose lease has moved on is acknowledged as stale and frees its slot", async () => {
    const rig = await startedRig();
    rig.verdict = "stale";
    rig.offer({ callable: "checkpoint" });
    await waitFor("the yield", () => rig.yields.length === 1);
    await waitFor("the slot", () => rig.supervisor.metrics().inFlight === 0);
    expect(rig.channel.pendingCount).toBe(0);
  });

  it.each(["checkpoint_bad", "checkpoint_list"])("%s fails its step alone", async (callable) => {
    const rig = await startedRig();
    expect(await rig.run({ callable })).toMatchObject({
      outcome: "failure",
      kind: "invalid_result",
      retryable: false,
    });
  });

  it("a checkpoint that does not yield, or for an unknown delivery, is declined", async () => {
    const rig = await startedRig();
    expect(JSON.parse(valueText(await rig.run({ callable: "checkpoint_other" })))).toEqual([
      "unsupported",
      "unknown_delivery",
    ]);
  });

  it("a process that talks nonsense is replaced", async () => {
    const rig = await startedRig();
    const outcome = await rig.run({ callable: "nonsense" });
    expect(outcome).toMatchObject({ outcome: "lost", reason: "worker_lost" });
    expect(outcome.outcome === "lost" && outcome.message).toContain("protocol_error");
    expect(valueText(await rig.run({ callable: "print" }))).toBe("1");
  });

  it("what is printed becomes a log record", async () => {
    const rig = await startedRig();
    const delivery = rig.offer({ callable: "print" });
    await rig.outcomeOf(delivery);
    await waitFor("the printed line", () =>
      rig.log.some(
        (record) =>
          record["stream"] === "stdout" && record["msg"] === `printed by ${delivery.deliveryId}`,
      ),
    );
  });
});

describe("death", () => {
  it.each(["exit", "garbage", "half"])(
    "%s: gives the step back at once and starts anew",
    async (callable) => {
      const rig = await startedRig();
      await rig.run({ callable: "print" });
      const [pid] = rig.pids;
      expect(await rig.run({ callable })).toMatchObject({
        outcome: "lost",
        reason: "worker_lost",
        alone: true,
      });
      expect(valueText(await rig.run({ callable: "print" }))).toBe("1");
      expect(rig.pids).not.toContain(pid);
      expect(rig.supervisor.metrics()).toMatchObject({ crashed: 1, spawned: 2 });
    },
  );

  it("says how the process died and what it said last", async () => {
    const rig = await startedRig();
    const outcome = await rig.run({ callable: "exit" });
    expect(outcome.outcome === "lost" && outcome.message).toMatch(
      /exited with code 7 .*fatal: giving up/,
    );
  });

  it("kill -9 under load: every step is answered exactly once, none is lost silently", async () => {
    const rig = await startedRig({ processes: 2 });
    await waitFor("both processes", () => rig.pids.length === 2);
    const all = Array.from({ length: 300 }, () => rig.offer({ callable: "sleep" }, { ms: 2 }));
    await waitFor("some answers", () => rig.answers.length > 50);
    process.kill(rig.pids[0]!, "SIGKILL");
    const outcomes = await Promise.all(all.map((delivery) => rig.outcomeOf(delivery)));
    const lost = outcomes.filter((outcome) => outcome.outcome === "lost");
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThanOrEqual(8);
    expect(
      lost.every((outcome) => outcome.outcome === "lost" && (lost.length === 1 || !outcome.alone)),
    ).toBe(true);
    expect(rig.answers).toHaveLength(300);
    await waitFor("the replacement", () => rig.supervisor.metrics().processes.length === 2);
  });

  it("a death after the completion channel was closed harms nothing else", async () => {
    const rig = await startedRig();
    const [pid] = rig.pids;
    const delivery = rig.offer({ callable: "hang" });
    await waitFor("the step to run", () => rig.channel.isHeld(delivery.deliveryId));
    rig.completions.close();
    process.kill(pid!, "SIGKILL");
    await waitFor("the record", () =>
      rig.log.some((record) => record["msg"] === "lost steps could not be given back"),
    );
    await waitFor("another process", () => rig.pids.length === 1 && rig.pids[0] !== pid);
    expect(rig.channel.held()).toHaveLength(1);
  });

  it("ends the whole process group", async () => {
    const rig = await startedRig();
    await rig.run({ callable: "orphan" });
    const [pid] = rig.pids;
    const group = (): string[] =>
      execFileSync("ps", ["-eo", "pgid=,stat="], { encoding: "utf8" })
        .split("\n")
        // A zombie is dead; when it disappears is up to whoever adopted it.
        .filter((line) => line.trim().startsWith(`${pid} `) && !line.includes("Z"));
    expect(group()).toHaveLength(2);
    process.kill(pid!, "SIGKILL");
    await waitFor("an empty group", () => group().length === 0);
  });
});

describe("launch failures", () => {
  it.each([
    ["exit_in_handshake", /exited with code 3.*no module named orders/],
    ["garbage_in_handshake", /bad_frame.*Hello from a print statement/],
    ["wrong_version", /speaks bridge protocol 1, the handler process chose 99/],
  ])("%s is reported with its reason", async (mode, expected) => {
    expect(await startError(createRig({ startAttempts: 2 }, mode))).toMatch(expected);
  });

  it("a silent process is ended", async () => {
    const rig = createRig({ startAttempts: 1, handshakeTimeoutMs: 300 }, "silent");
    expect(await startError(rig)).toContain("said nothing for 300 ms");
  });

  it("a command that does not exist is named", async () => {
    const rig = createRig({ startAttempts: 1, command: "/no/such/python3" });
    expect(await startError(rig)).toMatch(/no\/such\/python3.*could not be started/);
  });
});

describe("deadlines", () => {
  it("a handler that stops when asked fails with handler_timeout at its deadline", async () => {
    const rig = await startedRig({ cancelGraceMs: 5000 });
    const startedAt = performance.now();
    const outcome = await rig.run({ callable: "sleep", timeoutMs: 100 }, { ms: 60_000 });
    expect(outcome).toMatchObject({
      kind: "timeout",
      errorType: "handler_timeout",
      retryable: true,
    });
    expect(performance.now() - startedAt).toBeLessThan(4000);
    expect(rig.supervisor.metrics().abandoned).toBe(0);
  });

  it("a handler that hangs is given up after the grace; its late answer frees the slot", async () => {
    const rig = await startedRig({ cancelGraceMs: 50 });
    const outcome = await rig.run({ callable: "hang", timeoutMs: 50 }, { ms: 600 });
    expect(outcome).toMatchObject({
      kind: "timeout",
      errorType: "handler_timeout",
      retryable: true,
    });
    expect(rig.supervisor.metrics()).toMatchObject({ abandoned: 1, inFlight: 0 });
    expect(rig.supervisor.freeSlots).toBe(7);
    await waitFor("the late answer", () => rig.supervisor.metrics().stale === 1);
    expect(rig.supervisor.freeSlots).toBe(8);
    expect(rig.answers).toHaveLength(1);
  });

  it("a process of which half hangs is replaced", async () => {
    const rig = await startedRig({ cancelGraceMs: 50, drainGraceMs: 200 }, "good", 4);
    const [pid] = rig.pids;
    const hanging = [0, 1].map(() => rig.offer({ callable: "hang", timeoutMs: 50 }));
    await Promise.all(hanging.map((delivery) => rig.outcomeOf(delivery)));
    await waitFor("another process", () => rig.pids.length === 1 && rig.pids[0] !== pid);
    expect(valueText(await rig.run({ callable: "print" }))).toBe("1");
    expect(isAlive(pid!)).toBe(false);
  });

  it("a cancelled step is stopped", async () => {
    const rig = await startedRig();
    const delivery = rig.offer({ callable: "sleep" }, { ms: 60_000 });
    await waitFor("the step to run", () => rig.channel.isHeld(delivery.deliveryId));
    rig.channel.cancel(delivery.deliveryId, "task_cancelled");
    expect(await rig.outcomeOf(delivery)).toMatchObject({ outcome: "failure", kind: "cancelled" });
  });
});

describe("cancelling", () => {
  it("a step that does not stop is given up as cancelled, not to be tried again", async () => {
    const rig = await startedRig({ cancelGraceMs: 50 });
    const delivery = rig.offer({ callable: "hang" });
    await waitFor("the step to run", () => rig.channel.isHeld(delivery.deliveryId));
    rig.channel.cancel(delivery.deliveryId, "task_cancelled");
    const outcome = await rig.outcomeOf(delivery);
    expect(outcome).toMatchObject({ kind: "cancelled", errorType: "cancelled", retryable: false });
    expect(rig.supervisor.metrics().abandoned).toBe(1);
  });

  it("a process that dies with a hung step beside the only running one did not hold it alone", async () => {
    const rig = await startedRig({ cancelGraceMs: 50 });
    await rig.run({ callable: "hang", timeoutMs: 50 });
    expect(await rig.run({ callable: "exit" })).toMatchObject({ outcome: "lost", alone: false });
  });
});

describe("solo", () => {
  it("runs with nothing beside it, and nothing joins", async () => {
    const rig = await startedRig();
    const order: string[] = [];
    rig.completions.onArrival(() => void order.push(String(rig.supervisor.metrics().inFlight)));
    const before = rig.offer({ callable: "sleep" }, { ms: 50 });
    await waitFor("the first step", () => rig.supervisor.metrics().inFlight === 1);
    const solo = rig.offer({ callable: "sleep", solo: true }, { ms: 50 });
    const after = Array.from({ length: 4 }, () => rig.offer({ callable: "sleep" }, { ms: 5 }));
    await Promise.all([before, solo, ...after].map((delivery) => rig.outcomeOf(delivery)));
    expect(rig.answers.slice(0, 2).map((answer) => answer.delivery.deliveryId)).toEqual([
      before.deliveryId,
      solo.deliveryId,
    ]);
    expect(order.slice(0, 2)).toEqual(["1", "1"]);
  });

  it("does not wait for ever behind a step that hangs", async () => {
    const rig = await startedRig({ cancelGraceMs: 50, drainGraceMs: 100 });
    await rig.run({ callable: "hang", timeoutMs: 50 });
    expect(valueText(await rig.run({ callable: "print", solo: true }))).toBe("1");
  });
});

describe("stop", () => {
  it("lets running steps finish", async () => {
    const rig = await startedRig();
    const delivery = rig.offer({ callable: "sleep" }, { ms: 100 });
    await waitFor("the step to run", () => rig.supervisor.metrics().inFlight === 1);
    await rig.supervisor.stop({ graceMs: 5000 });
    expect(valueText(await rig.outcomeOf(delivery))).toBe('"slept"');
  });

  it("gives back what does not finish, and leaves no process", async () => {
    const rig = await startedRig({ killGraceMs: 200 }, "ignores_drain");
    const delivery = rig.offer({ callable: "hang" });
    await waitFor("the step to run", () => rig.supervisor.metrics().inFlight === 1);
    const { pids } = rig;
    await rig.supervisor.stop({ graceMs: 100 });
    expect(await rig.outcomeOf(delivery)).toMatchObject({
      outcome: "lost",
      reason: "drained",
      alone: false,
    });
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it("does not wait for a handshake", async () => {
    const rig = createRig({ handshakeTimeoutMs: 60_000 }, "silent");
    const aborted = rig.supervisor.start(AbortSignal.timeout(200));
    await expect(aborted).rejects.toMatchObject({ name: "TimeoutError" });
  });
});
