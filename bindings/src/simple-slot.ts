/** The thread of one slot: takes a step's frame, calls `execute`, passes on what comes out. */
import { performance } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { loadExports } from "./exports.js";
import type { LibrarySpec } from "./spec.js";

/** What `execute` made of a step. */
export interface SlotAnswer {
  readonly code: number;
  readonly bytes: Uint8Array;
  readonly executionMs: number;
}

const exports = loadExports(workerData as LibrarySpec);
if (exports.form !== "simple") throw new TypeError("a slot's thread is for simple libraries");
const { execute } = exports;

parentPort?.on("message", (frame: Uint8Array) => {
  const beganAt = performance.now();
  const { code, bytes } = execute(frame);
  const executionMs = Math.round(performance.now() - beganAt);
  parentPort?.postMessage({ code, bytes, executionMs } satisfies SlotAnswer);
});
