import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import {
  type CancelHeader,
  type ErrorHeader,
  encodeFrame,
  FrameDecoder,
  type ResultHeader,
} from "@tasker-core/sdk/protocol";
import { NativeLibraryError } from "./errors.js";
import type { SimpleExports } from "./exports.js";
import { wholeFrames } from "./frames.js";
import type { LibraryRun, RunListener } from "./run.js";
import type { SlotAnswer } from "./simple-slot.js";
import type { LibrarySpec } from "./spec.js";

interface Slot {
  readonly thread: Worker;
  /** The step that it runs. */
  deliveryId: string | null;
}

const EXECUTE_VALUE = 0;
const EXECUTE_ERROR = 1;
const EXECUTE_FRAME = 2;

/** A library with `execute` only: every slot is a thread, so that no call stands in the way of the event loop. */
export class SimpleRun implements LibraryRun {
  readonly form = "simple";
  readonly manifest: Uint8Array;
  readonly #spec: LibrarySpec;
  readonly #listener: RunListener;
  readonly #slots: Slot[];
  readonly #waiting: Buffer[] = [];
  #isClosed = false;

  /** @throws NativeLibraryError */
  constructor(spec: LibrarySpec, exports: SimpleExports, listener: RunListener) {
    this.#spec = spec;
    this.#listener = listener;
    this.manifest = manifestOf(spec, exports);
    this.#slots = Array.from({ length: spec.slots }, () => this.#newSlot());
  }

  offer(frames: Buffer): void {
    if (this.#isClosed) return;
    this.#waiting.push(...wholeFrames(frames));
    this.#feed();
  }

  /** `execute` cannot be told; what has not begun is dropped, because the host answers for it. */
  cancel(deliveryId: string, _reason: CancelHeader["reason"]): void {
    const at = this.#waiting.findIndex((frame) => idOf(frame) === deliveryId);
    if (at !== -1) this.#waiting.splice(at, 1);
  }

  /** A thread inside a call ends when the call does. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting.length = 0;
    for (const { thread } of this.#slots) {
      thread.unref();
      void thread.terminate(); // settles only when the call has returned
    }
  }

  #newSlot(): Slot {
    const slot: Slot = { thread: startThread(this.#spec), deliveryId: null };
    slot.thread.on("message", (answer: SlotAnswer) => this.#onAnswer(slot, answer));
    slot.thread.once("error", (error) => this.#onBroken(`a thread of it failed: ${error.message}`));
    return slot;
  }

  #feed(): void {
    for (const slot of this.#slots) {
      if (slot.deliveryId !== null) continue;
      const frame = this.#waiting.shift();
      if (frame === undefined) return;
      slot.deliveryId = idOf(frame);
      slot.thread.postMessage(Uint8Array.from(frame));
    }
  }

  #onAnswer(slot: Slot, { code, bytes, executionMs }: SlotAnswer): void {
    const id = slot.deliveryId;
    slot.deliveryId = null;
    if (this.#isClosed || id === null) return;
    this.#listener.frames(answerFrame(id, code, Buffer.from(bytes), executionMs));
    this.#feed();
  }

  #onBroken(why: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.broken(why);
  }
}

function manifestOf(spec: LibrarySpec, exports: SimpleExports): Uint8Array {
  const { name, path, callables } = spec;
  if (callables.length > 0) {
    return Buffer.from(JSON.stringify(callables.map((callable) => ({ callable }))));
  }
  if (exports.manifest === null) {
    const why =
      "it has no manifest, and the configuration names no `callables`. Name what it runs: callables = [...]";
    throw new NativeLibraryError(name, path, why);
  }
  const { code, bytes } = exports.manifest();
  if (code === 0) return bytes;
  throw new NativeLibraryError(name, path, `\`manifest\` returned ${code}`);
}

/** Whatever comes out becomes exactly one answer to this step and to no other. */
function answerFrame(id: string, code: number, bytes: Buffer, executionMs: number): Buffer {
  if (code === EXECUTE_VALUE) {
    const value = bytes.length === 0 ? Buffer.from("null") : bytes;
    const header: ResultHeader = {
      type: "result",
      delivery_id: id,
      execution_ms: executionMs,
      outcome: "success",
      split: value.length,
    };
    return frameOf(header, value);
  }
  if (code === EXECUTE_ERROR) return frameOf(errorHeader(id, bytes, executionMs));
  if (code === EXECUTE_FRAME) {
    const frame = ownFrame(id, bytes);
    if (frame !== null) return frame;
    return refusal(id, executionMs, "`execute` passed out something that is no answer to its step");
  }
  return refusal(id, executionMs, `\`execute\` returned ${code}, which means nothing`);
}

/** One terminal frame for this step, or null. */
function ownFrame(id: string, bytes: Buffer): Buffer | null {
  const [frame, ...more] = new FrameDecoder(bytes.length + 4).push(bytes);
  if (frame?.kind !== "frame" || more.length > 0) return null;
  const { type, delivery_id, yield: isYield } = frame.header as Record<string, unknown>;
  const isTerminal = type === "result" || type === "error" || (type === "checkpoint" && isYield);
  const isWhole = bytes.readUInt32BE(0) + 4 === bytes.length;
  return isTerminal && isWhole && delivery_id === id ? bytes : null;
}

function errorHeader(id: string, bytes: Buffer, executionMs: number): ErrorHeader {
  let given: Record<string, unknown> = {};
  try {
    given = Object(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch {
    given = { message: "the handler failed, and what it says about it is not JSON" };
  }
  const { message, error_type, code, retryable, retry_after_ms } = given;
  return {
    type: "error",
    delivery_id: id,
    execution_ms: executionMs,
    error_type: text(error_type) ?? "handler_error",
    ...(text(code) === null ? {} : { code: text(code) }),
    message: text(message)?.slice(0, 8192) ?? "the handler failed without saying why",
    retryable: retryable === true,
    ...(typeof retry_after_ms === "number" && retry_after_ms >= 0
      ? { retry_after_ms: Math.round(retry_after_ms) }
      : {}),
    kind: "handler",
  };
}

function refusal(id: string, executionMs: number, message: string): Buffer {
  return frameOf({
    type: "error",
    delivery_id: id,
    execution_ms: executionMs,
    error_type: "invalid_result",
    message,
    retryable: false,
    kind: "invalid_result",
  } satisfies ErrorHeader);
}

function frameOf(header: object, body?: Uint8Array): Buffer {
  return Buffer.concat(encodeFrame(header, body));
}

function idOf(frame: Buffer): string {
  const header = frame.subarray(8, 8 + frame.readUInt32BE(4)).toString();
  return (JSON.parse(header) as { delivery_id: string }).delivery_id; // the host's own `step`
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function startThread(spec: LibrarySpec): Worker {
  const name = `native ${spec.name}`;
  const built = new URL("./simple-slot.js", import.meta.url);
  if (existsSync(fileURLToPath(built))) return new Worker(built, { workerData: spec, name });
  const tsx = import.meta.resolve("tsx/esm/api");
  const source = new URL("./simple-slot.ts", import.meta.url);
  const program = `import("${tsx}").then(({ register }) => (register(), import("${source}")))`;
  const execArgv = ["--conditions=@tasker-core/source"];
  return new Worker(program, { eval: true, workerData: spec, execArgv, name });
}
