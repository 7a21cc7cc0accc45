import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ShapeWorld } from "../suite.js";
import { AWAITED, GATED, NAPPING, PATIENT } from "../tables/acted-on.js";
import { MIXED, VOICES, type Voice } from "../voices.js";
import { begin, signsOf } from "./acting.js";

/** Cancellation and manual actions, on steps in every state that a running task can have them in. */
export function describeActions(world: ShapeWorld): void {
  for (const voice of [...VOICES, MIXED])
    describe.concurrent(`acting on ${voice.name}`, () => {
      test("cancelling the task: the running handler is told, its answer refused", async () => {
        const { nap, signs } = await napping(NAPPING, voice, "cancel");
        await nap.engine.cancelTask(nap.taskUuid, { actor: "ada", reason: "typo" });
        expect(await signs.told(await nap.step("nap"))).toBe("task_cancelled");
        expect(await nap.settled()).toBe("cancelled");
        expect(await nap.steps()).toEqual({
          nap: { state: "cancelled", attempts: 1, result: null },
          after: { state: "cancelled", attempts: 0, result: null },
        });
      });

      test("resolving a running step: its handler is told, the rest goes on", async () => {
        const { nap, signs } = await napping(NAPPING, voice, "resolve");
        const step = await nap.step("nap");
        await nap.engine.resolveStep(nap.taskUuid, step);
        expect(await nap.settled()).toBe("complete");
        expect(await signs.told(step)).toBe("lease_lost");
        expect(await nap.steps()).toMatchObject({
          nap: { state: "resolved_manually", attempts: 1 },
          after: { state: "complete", attempts: 1, result: { by: "after", amount: 1 } },
        });
      });

      test("completing a running step by hand: the next one reads the given result", async () => {
        const { nap, signs } = await napping(AWAITED, voice, "complete");
        const step = await nap.step("nap");
        await nap.engine.completeStep(nap.taskUuid, step, { result: { value: 41 } });
        expect(await nap.settled()).toBe("complete");
        expect(await signs.told(step)).toBe("lease_lost");
        expect(await nap.steps()).toEqual({
          nap: { state: "complete", attempts: 1, result: { value: 41 } },
          after: { state: "complete", attempts: 1, result: { value: 42 } },
        });
      });

      test("resolving a failed step", async () => {
        const gated = await blocked(voice, "resolve");
        await gated.engine.resolveStep(gated.taskUuid, await gated.step("gate"));
        expect(await gated.settled()).toBe("complete");
        expect(await gated.steps()).toMatchObject({
          gate: { state: "resolved_manually", attempts: 1 },
          last: { state: "complete", attempts: 1, result: { value: 2 } },
        });
      });

      test("resetting a failed step: it runs anew, with its attempts counted anew", async () => {
        const gated = await blocked(voice, "reset");
        await writeFile(keyOf(voice, "reset"), "");
        await gated.engine.resetStep(gated.taskUuid, await gated.step("gate"));
        expect(await gated.settled()).toBe("complete");
        expect(await gated.steps()).toEqual({
          first: { state: "complete", attempts: 1, result: { value: 1 } },
          gate: { state: "complete", attempts: 1, result: { gate: "open" } },
          last: { state: "complete", attempts: 1, result: { value: 2 } },
        });
      });

      test("replacing the result of a complete step, and completing a failed one", async () => {
        const gated = await blocked(voice, "replace");
        const [first, gate] = [await gated.step("first"), await gated.step("gate")];
        await expect(gated.engine.resetStep(gated.taskUuid, first)).rejects.toMatchObject({
          code: "INVALID_TRANSITION",
        });
        await gated.engine.completeStep(gated.taskUuid, first, { result: { value: 99 } });
        await gated.engine.completeStep(gated.taskUuid, gate, { result: { gate: "forced" } });
        expect(await gated.settled()).toBe("complete");
        expect(await gated.steps()).toEqual({
          first: { state: "complete", attempts: 1, result: { value: 99 } },
          gate: { state: "complete", attempts: 1, result: { gate: "forced" } },
          last: { state: "complete", attempts: 1, result: { value: 100 } },
        });
      });

      test("completing a pending step: it does not run any more", async () => {
        const gated = await blocked(voice, "pending");
        const last = await gated.step("last");
        await gated.engine.completeStep(gated.taskUuid, last, { result: { value: -1 } });
        await gated.engine.resolveStep(gated.taskUuid, await gated.step("gate"));
        expect(await gated.settled()).toBe("complete");
        expect((await gated.steps())["last"]).toEqual({
          state: "complete",
          attempts: 0,
          result: { value: -1 },
        });
      });

      test("resolving the task: nothing of it runs any more", async () => {
        const gated = await blocked(voice, "close");
        await gated.engine.resolveTask(gated.taskUuid, { reason: "obsolete" });
        expect(await gated.settled()).toBe("resolved_manually");
        expect(await gated.steps()).toMatchObject({
          first: { state: "complete" },
          gate: { state: "error" },
          last: { state: "cancelled", attempts: 0 },
        });
      });

      test("resolving a step that waits for its retry", async () => {
        const patient = await begin(world, PATIENT, voice, { amount: 1, fail_times: 9 });
        await patient.until("try", "waiting_for_retry");
        await patient.engine.resolveStep(patient.taskUuid, await patient.step("try"));
        expect(await patient.settled()).toBe("complete");
        expect(await patient.steps()).toMatchObject({
          try: { state: "resolved_manually", attempts: 1 },
          after: { state: "complete", attempts: 1, result: { by: "after", amount: 1 } },
        });
      });

      test("cancelling a task whose step waits for its retry", async () => {
        const patient = await begin(world, PATIENT, voice, { amount: 1, fail_times: 9 });
        await patient.until("try", "waiting_for_retry");
        await patient.engine.cancelTask(patient.taskUuid);
        expect(await patient.settled()).toBe("cancelled");
        expect(await patient.steps()).toMatchObject({
          try: { state: "cancelled", attempts: 1 },
          after: { state: "cancelled", attempts: 0 },
        });
      });
    });

  async function napping(shape: typeof NAPPING, voice: Voice, what: string) {
    const signs = await signsOf(world, `${voice.name}-${what}`);
    const nap = await begin(world, shape, voice, { amount: 1, signs: signs.folder });
    await signs.began(await nap.step("nap"));
    return { nap, signs };
  }

  const keyOf = (voice: Voice, what: string) => join(world.folder(), `key-${voice.name}-${what}`);

  async function blocked(voice: Voice, what: string) {
    const gated = await begin(world, GATED, voice, { n: 1, key: keyOf(voice, what) });
    expect(await gated.settled()).toBe("blocked_by_failures");
    return gated;
  }
}
