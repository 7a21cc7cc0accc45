import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { LibrarySpec } from "./spec.js";

export { type NativeCarrier, openLibrary } from "./carrier.js";
export { NativeLibraryError } from "./errors.js";
export { ABI_VERSION } from "./exports.js";
export { checkFile, type LibrarySpec } from "./spec.js";

/** The command of a process of its own around the library. */
export function isolatedCommand(spec: LibrarySpec): {
  readonly command: string;
  readonly args: readonly string[];
} {
  const built = new URL("./isolated.js", import.meta.url);
  const source = new URL("./isolated.ts", import.meta.url);
  const program = existsSync(fileURLToPath(built))
    ? [fileURLToPath(built)]
    : [
        "--conditions=@tasker-core/source",
        "--import",
        import.meta.resolve("tsx"),
        fileURLToPath(source),
      ];
  return { command: process.execPath, args: [...program, JSON.stringify(spec)] };
}
