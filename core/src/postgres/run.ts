import { spawn } from "node:child_process";

/** A program as some identity would run it: see `identity.ts`. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface Finished {
  /** `null` when a signal ended it or it could not be started. */
  readonly exitCode: number | null;
  /** Standard output and standard error, interleaved, at most 64 KiB. */
  readonly output: string;
}

const MAX_OUTPUT_BYTES = 64 * 1024;

/** Runs a short program to its end. Never rejects: a program that cannot be started has exit code `null`. */
export function run(
  command: Command,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<Finished> {
  return new Promise((resolve) => {
    const { file, args, ...identity } = command;
    let output = "";
    const child = spawn(file, args, {
      ...identity,
      cwd: "/",
      // initdb and postgres print in the caller's language; the launcher looks for English words.
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: options.timeoutMs,
      killSignal: "SIGKILL",
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const keep = (chunk: Buffer): void => {
      if (output.length < MAX_OUTPUT_BYTES) output += chunk.toString("utf8");
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    child.on("error", (error) => resolve({ exitCode: null, output: `${output}${error.message}` }));
    child.on("close", (exitCode) => resolve({ exitCode, output }));
  });
}
