import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach } from "vitest";
import { waitFor } from "../../../test/support/wait-for.js";
import {
  type PostgresServer,
  type StartPostgresOptions,
  startPostgres,
} from "../../src/postgres/index.js";

export const isRoot = process.geteuid?.() === 0;

/**
 * Directories and servers of one test. After each test: servers stop, and nothing may still run in the directories.
 */
export function usePostgresSandbox(): {
  directory(mode?: number): string;
  start(options: StartPostgresOptions): Promise<PostgresServer>;
  owner(options: StartPostgresOptions, how?: OwnerOptions): Promise<Owner>;
  /** The process of an owner, without waiting for its server. */
  spawnOwner(options: StartPostgresOptions): ChildProcess;
} {
  const directories: string[] = [];
  const servers: PostgresServer[] = [];
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    for (const server of servers.splice(0)) await server.stop();
    for (const directory of directories.splice(0)) {
      await waitForNoProcess(directory);
      rmSync(directory, { recursive: true, force: true });
    }
  });
  return {
    directory(mode = 0o755) {
      const directory = mkdtempSync(join(scratch(), "tasker-postgres-test-"));
      chmodSync(directory, mode);
      directories.push(directory);
      return directory;
    },
    async start(options) {
      const server = await startPostgres(options);
      servers.push(server);
      return server;
    },
    async owner(options, how) {
      const child = spawnOwner(options, how);
      children.push(child);
      return ready(child);
    },
    spawnOwner(options) {
      const child = spawnOwner(options);
      children.push(child);
      return child;
    },
  };
}

/**
 * Memory where there is plenty: a cluster is a thousand files, and a disk's file system slows down several times when as
 * many were deleted a moment ago.
 */
function scratch(): string {
  const memory = "/dev/shm";
  try {
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize > 2 ** 31 ? memory : tmpdir();
  } catch {
    return tmpdir();
  }
}

interface OwnerOptions {
  readonly ending?: "return" | "exit";
  readonly uid?: number;
}

export interface Owner {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pid: number;
  readonly attached: boolean;
}

type OwnerProcess = ChildProcessByStdio<null, Readable, Readable>;

const OWNER = fileURLToPath(new URL("fixtures/owner.ts", import.meta.url));
const TSX = import.meta.resolve("tsx");

/** A real process that starts Postgres; see `fixtures/owner.ts`. */
function spawnOwner(options: StartPostgresOptions, how: OwnerOptions = {}): OwnerProcess {
  const args = [
    ...["--import", TSX, OWNER, JSON.stringify(options)],
    ...(how.ending ? [how.ending] : []),
  ];
  return spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    ...(how.uid === undefined ? {} : { uid: how.uid, gid: how.uid }),
  });
}

/** Waits for the line in which the owner says what it got. */
async function ready(child: OwnerProcess): Promise<Owner> {
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaints += chunk.toString("utf8");
  });
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([
    once(lines, "line").then(([text]) => String(text)),
    once(child, "exit").then(() => {
      throw new Error(`the owner ended early: ${complaints}`);
    }),
  ]);
  return { child, ...(JSON.parse(line) as Omit<Owner, "child">) };
}

/** Processes that work in the directory or name it on their command line: servers, backends, watchdogs. */
export function processesIn(directory: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        const isHere = readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
        return isHere || command.includes(directory) ? [`${pid} ${command}`] : [];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

export async function waitForNoProcess(directory: string): Promise<void> {
  await waitFor(() => processesIn(directory).length === 0, {
    timeoutMs: 15_000,
    describe: () => `no process in ${directory}; left: ${processesIn(directory).join(" | ")}`,
  });
}

/** Runs one statement on a connection of its own. */
export async function sql<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  url: string,
  text: string,
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
