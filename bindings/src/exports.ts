import { createRequire } from "node:module";
import { NativeLibraryError } from "./errors.js";
import type { LibrarySpec } from "./spec.js";

/** `TASKER_HANDLER_ABI_VERSION` of `tasker_handler.h`. */
export const ABI_VERSION = 1;
/** A manifest, a reason or a result longer than this is not one. */
const MAX_OUT_BYTES = 64 * 1024 * 1024;

/** What a call passed out: its return code, and bytes that are ours. */
export interface Passed {
  readonly code: number;
  readonly bytes: Buffer;
  readonly handle: unknown;
}

/** The exports of a full library. */
export interface FullExports {
  readonly form: "full";
  open(config: Buffer): Passed;
  offer(handle: unknown, frames: Uint8Array, length: number): number;
  drain(handle: unknown, buffer: Uint8Array, capacity: number): number;
  wakeFd(handle: unknown): number;
  cancel(handle: unknown, id: Buffer, length: number, reason: number): void;
  close(handle: unknown): void;
}

/** The exports of a simple library. */
export interface SimpleExports {
  readonly form: "simple";
  execute(frame: Uint8Array): Passed;
  /** Null when the library has none. */
  readonly manifest: (() => Passed) | null;
}

type Koffi = typeof import("koffi");
// biome-ignore lint/suspicious/noExplicitAny: what koffi makes of a C prototype has no better type
type Native = (...args: any[]) => any;

/**
 * Loads the library and finds what it exports. Nothing of it runs but `abi_version` and its own initialisers.
 * @throws NativeLibraryError
 */
export function loadExports(spec: LibrarySpec): FullExports | SimpleExports {
  const koffi = loadKoffi(spec);
  const library = loadFile(koffi, spec);
  const find = (prototype: string): Native | null => {
    try {
      return library.func(prototype);
    } catch {
      return null;
    }
  };
  const need = (prototype: string): Native => {
    const found = find(prototype);
    if (found !== null) return found;
    const symbol = /tasker_\w+/.exec(prototype)?.[0];
    throw new NativeLibraryError(spec.name, spec.path, `it does not export \`${symbol}\``);
  };
  const version = Number(need("uint32_t tasker_handler_abi_version()")());
  if (version !== ABI_VERSION) {
    const why = `it was built for version ${version} of the ABI, this host speaks ${ABI_VERSION}`;
    throw new NativeLibraryError(spec.name, spec.path, why);
  }
  const free = need("void tasker_handler_free(void *bytes, size_t length)");
  const take = (code: number, out: unknown[], length: unknown[], handle: unknown): Passed => ({
    code,
    bytes: takeBytes(koffi, free, spec, out[0], Number(length[0])),
    handle,
  });
  const open = find(
    "int32_t tasker_handler_open(const uint8_t *config, size_t n, _Out_ void **context, _Out_ void **out, _Out_ size_t *out_n)",
  );
  if (open === null) return simpleExports(need, find, take);
  return {
    form: "full",
    open: (config) => {
      const [context, out, length] = [[null], [null], [0]];
      const code = open(config, config.byteLength, context, out, length);
      return take(code, out, length, context[0]);
    },
    offer: need("int64_t tasker_handler_offer(void *context, const uint8_t *frames, size_t n)"),
    drain: need("int64_t tasker_handler_drain(void *context, uint8_t *buffer, size_t capacity)"),
    wakeFd: need("int32_t tasker_handler_wake_fd(void *context)"),
    cancel: need(
      "void tasker_handler_cancel(void *context, const uint8_t *id, size_t n, int32_t reason)",
    ),
    close: need("void tasker_handler_close(void *context)"),
  };
}

function simpleExports(
  need: (prototype: string) => Native,
  find: (prototype: string) => Native | null,
  take: (code: number, out: unknown[], length: unknown[], handle: unknown) => Passed,
): SimpleExports {
  const execute = need(
    "int32_t tasker_handler_execute(const uint8_t *bytes, size_t n, _Out_ void **out, _Out_ size_t *out_n)",
  );
  const manifest = find("int32_t tasker_handler_manifest(_Out_ void **out, _Out_ size_t *out_n)");
  return {
    form: "simple",
    execute: (frame) => {
      const [out, length] = [[null], [0]];
      return take(execute(frame, frame.byteLength, out, length), out, length, null);
    },
    manifest:
      manifest === null
        ? null
        : () => {
            const [out, length] = [[null], [0]];
            return take(manifest(out, length), out, length, null);
          },
  };
}

/** Copies what the library passed out, and gives it back. */
function takeBytes(
  koffi: Koffi,
  free: Native,
  spec: LibrarySpec,
  pointer: unknown,
  length: number,
): Buffer {
  if (pointer === null || pointer === undefined || pointer === 0n) return Buffer.alloc(0);
  if (length > MAX_OUT_BYTES) {
    free(pointer, length);
    const why = `it passed out ${length} bytes at once; ${MAX_OUT_BYTES} are the limit`;
    throw new NativeLibraryError(spec.name, spec.path, why);
  }
  const bytes = Buffer.from(new Uint8Array(koffi.view(pointer as never, length)));
  free(pointer, length);
  return bytes;
}

function loadKoffi({ name, path }: LibrarySpec): Koffi {
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch (cause) {
    const why = `koffi, which loads it, is missing or has no build for ${process.platform}-${process.arch}. Install it: npm install koffi`;
    throw new NativeLibraryError(name, path, why, { cause });
  }
}

function loadFile(koffi: Koffi, { name, path }: LibrarySpec): ReturnType<Koffi["load"]> {
  try {
    return koffi.load(path);
  } catch (cause) {
    const why = `it cannot be loaded (${cause instanceof Error ? cause.message : String(cause)})`;
    throw new NativeLibraryError(name, path, why, { cause });
  }
}
