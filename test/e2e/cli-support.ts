import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const MAIN = fileURLToPath(new URL("../../core/src/cli/main.ts", import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliProcess {
  readonly child: ChildProcess;
  /** Everything printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly result: Promise<CliResult>;
}

export interface CliStartOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A folder with files, and the command line run in it on a database. */
export interface CliProject {
  readonly directory: string;
  write(files: Readonly<Record<string, string>>): Promise<void>;
  start(args: readonly string[], options?: CliStartOptions): CliProcess;
  run(args: readonly string[], options?: { readonly stdin?: string }): Promise<CliResult>;
  remove(): Promise<void>;
}

/** Runs the sources, as a process of its own. */
export async function createCliProject(databaseUrl: () => string): Promise<CliProject> {
  const directory = await mkdtemp(join(tmpdir(), "tasker-cli-"));
  const running = new Set<ChildProcess>();
  const start: CliProject["start"] = (args, { stdin = "", env = {} } = {}) => {
    const child = spawn(
      process.execPath,
      ["--conditions=@tasker-core/source", "--import", TSX, MAIN, ...args],
      {
        cwd: directory,
        env: { ...environment(databaseUrl()), ...env },
      },
    );
    running.add(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.stdin.on("error", () => undefined); // a command that reads no input may be gone already
    child.stdin.end(stdin);
    const result = new Promise<CliResult>((settle) => {
      child.once("close", (code) => {
        running.delete(child);
        settle({ code, stdout, stderr });
      });
    });
    return { child, stdout: () => stdout, stderr: () => stderr, result };
  };
  return {
    directory,
    write: async (files) => {
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(directory, name)), { recursive: true });
        await writeFile(join(directory, name), text);
      }
    },
    start,
    run: (args, options) => start(args, options).result,
    remove: async () => {
      for (const child of running) child.kill("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** No url: no variable, which is not the same as an empty one. */
function environment(databaseUrl: string): NodeJS.ProcessEnv {
  const { DATABASE_URL: _, ...inherited } = process.env;
  // A free port each: tests run beside each other.
  const web = { TASKER_WEB_BIND_ADDRESS: "127.0.0.1:0" };
  const own = { ...inherited, ...web, NO_COLOR: "1", LOG_LEVEL: "warn" };
  return databaseUrl === "" ? own : { ...own, DATABASE_URL: databaseUrl };
}

/** A template of steps that each follow the one before. */
export function chainTemplate(name: string, callables: readonly string[]): string {
  const steps = callables.map((callable, i) => {
    const dependencies = i === 0 ? "" : `\n    dependencies: [step_${i - 1}]`;
    return `  - name: step_${i}\n    handler: {callable: ${callable}}${dependencies}`;
  });
  return `name: ${name}\nnamespace_name: cli\nversion: 1.0.0\nsteps:\n${steps.join("\n")}\n`;
}

export const HANDLERS = `
import { defineHandler, PermanentError } from "@tasker-core/sdk";
export const add = defineHandler("add", { inputs: { n: "n" } }, ({ n }) => ({ sum: Number(n) + 1 }));
export const done = defineHandler("done", {}, () => ({ done: true }));
export const refuse = defineHandler("refuse", {}, () => {
  throw new PermanentError("the card was declined\\u001b[31m");
});
export const slow = defineHandler("slow", {}, async () => {
  await new Promise((resolve) => setTimeout(resolve, 1200));
  return { slow: true };
});
`;
