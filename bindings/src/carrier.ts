import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { loadExports } from "./exports.js";
import { FullRun } from "./full-run.js";
import { NativePeer } from "./native-peer.js";
import { SimpleRun } from "./simple-run.js";
import { checkFile, type LibrarySpec } from "./spec.js";

/** A native library where the host expects a handler process. */
export interface NativeCarrier {
  readonly pid: number | undefined;
  readonly channel: Duplex;
  /** Settles once, never rejects. */
  readonly exited: Promise<{
    readonly exitCode: number | null;
    readonly signal: null;
    readonly spawnError: null;
    readonly uptimeMs: number;
  }>;
  readonly stderrTail: readonly string[];
  /** Closes the library; handlers that run end by themselves. */
  kill(): void;
}

/**
 * Loads a library and opens it in this process.
 * @throws NativeLibraryError naming the library and the rule that it breaks
 */
export function openLibrary(spec: LibrarySpec): NativeCarrier {
  const peer = openPeer(spec);
  const beganAt = performance.now();
  const stderrTail: string[] = [];
  peer.on("error", (error) => stderrTail.push(error.message));
  return {
    pid: undefined,
    channel: peer,
    exited: new Promise((settle) => {
      peer.once("close", () => {
        const uptimeMs = Math.round(performance.now() - beganAt);
        const exitCode = stderrTail.length === 0 ? 0 : 1;
        settle({ exitCode, signal: null, spawnError: null, uptimeMs });
      });
    }),
    stderrTail,
    kill: () => void peer.destroy(),
  };
}

/** The library's end of the bridge. @throws NativeLibraryError */
export function openPeer(spec: LibrarySpec): NativePeer {
  checkFile(spec);
  const exports = loadExports(spec);
  return new NativePeer(spec, (listener) =>
    exports.form === "full"
      ? new FullRun(spec, exports, listener)
      : new SimpleRun(spec, exports, listener),
  );
}
