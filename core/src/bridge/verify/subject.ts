import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex, type Readable, type Writable } from "node:stream";
import { messageOf } from "../../errors/index.js";
import { createDeferred } from "../../lib/deferred.js";
import { NotMetError } from "./broken-rule.js";

/** What carries the frames. */
export type Lane = "fd" | "stdio" | "unix" | "tcp";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SubjectOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** Of what a program prints, this much is kept to explain a failure. */
const OUTPUT_KEPT = 16 * 1024;

/**
 * The program under test: one process in a group of its own, and the ends of its connections. Nothing of it is left
 * after {@link end}.
 */
export class Subject {
  /** Known to a program that joins over a socket. */
  readonly token: string | null;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #server: Server | null;
  readonly #folder: string | null;
  readonly #sockets: Socket[] = [];
  #onSocket: (() => void) | null = null;
  #taken = 0;
  #output = "";
  #exit: Exit | null = null;

  private constructor(
    child: ChildProcess,
    join: { server: Server; folder: string; token: string } | null,
  ) {
    this.#child = child;
    this.#server = join?.server ?? null;
    this.#folder = join?.folder ?? null;
    this.token = join?.token ?? null;
    this.#server?.on("connection", (socket) => {
      this.#sockets.push(socket);
      this.#onSocket?.();
    });
    const exited = createDeferred<Exit>();
    this.exited = exited.promise;
    const finish = (exit: Exit): void => {
      this.#exit ??= exit;
      exited.resolve(exit);
    };
    child.once("error", (error) => {
      this.#keep(messageOf(error));
      if (child.pid === undefined) finish({ code: null, signal: null });
    });
    child.once("exit", (code, signal) => finish({ code, signal }));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("error", () => undefined); // the exit says what happened
    }
    child.stderr?.on("data", (chunk: Buffer) => this.#keep(chunk.toString()));
  }

  static async start(options: SubjectOptions, lane: Lane): Promise<Subject> {
    const place = lane === "unix" || lane === "tcp" ? await listen(lane) : null;
    const bridge = place?.address ?? (lane === "fd" ? "fd:3" : "stdio");
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: {
        ...process.env,
        ...options.env,
        TASKER_BRIDGE: bridge,
        ...(place === null ? {} : { TASKER_BRIDGE_TOKEN_FILE: place.tokenFile }),
      },
      stdio: [
        lane === "stdio" ? "pipe" : "ignore",
        "pipe",
        "pipe",
        lane === "fd" ? "pipe" : "ignore",
      ],
      detached: true,
    });
    const subject = new Subject(child, place);
    if (lane !== "stdio") {
      child.stdout?.on("data", (chunk: Buffer) => subject.#keep(chunk.toString()));
    }
    return subject;
  }

  /** What it printed so far, the end of it. */
  get output(): string {
    return this.#output;
  }

  get exit(): Exit | null {
    return this.#exit;
  }

  /** The channel; over a socket its next connection. */
  async channel(patienceMs: number): Promise<Duplex> {
    if (this.#server === null) {
      const [input, output, , third] = this.#child.stdio;
      if (third instanceof Duplex) return third;
      return Duplex.from({ readable: output as Readable, writable: input as Writable });
    }
    if (this.#sockets.length <= this.#taken) await this.#connected(patienceMs);
    const socket = this.#sockets[this.#taken++];
    if (socket === undefined) {
      throw new NotMetError(`It did not connect within ${patienceMs} ms${this.explanation}`);
    }
    return socket;
  }

  /** To the process alone, as an operator's `kill` does it. */
  signal(signal: "SIGTERM" | "SIGKILL"): void {
    this.#child.kill(signal);
  }

  /** How it ended and what it printed last, for messages. */
  get explanation(): string {
    const how =
      this.#exit === null
        ? ""
        : `; it had ${this.#exit.signal === null ? `exited with code ${this.#exit.code}` : `been killed by ${this.#exit.signal}`}`;
    const lines = this.#output.split("\n").filter((line) => line.trim() !== "");
    const tail = lines.slice(-2).join(" | ").slice(-300);
    return tail === "" ? how : `${how}; it printed: ${tail}`;
  }

  /** Ends the process and everything it has started. Never throws. */
  async end(): Promise<void> {
    if (this.#child.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, "SIGKILL");
      } catch {
        // ESRCH: nobody is left in the group, which is what was wanted.
      }
    }
    await this.exited;
    for (const stream of this.#child.stdio) stream?.destroy();
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server !== null) {
      await new Promise<void>((settle) => this.#server?.close(() => settle()));
    }
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true });
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-OUTPUT_KEPT);
  }

  async #connected(patienceMs: number): Promise<void> {
    const arrived = createDeferred<void>();
    const timer = setTimeout(arrived.resolve, patienceMs);
    this.#onSocket = arrived.resolve;
    await Promise.race([arrived.promise, this.exited]);
    clearTimeout(timer);
    this.#onSocket = null;
  }
}

async function listen(lane: "unix" | "tcp") {
  const folder = await mkdtemp(join(tmpdir(), "tasker-verify-")); // 0700
  const token = `verify-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  const server = createServer();
  const path = join(folder, "bridge.sock");
  await new Promise<void>((settle, reject) => {
    server.once("error", reject);
    if (lane === "unix") server.listen(path, settle);
    else server.listen(0, "127.0.0.1", settle);
  });
  const bound = server.address();
  const address =
    bound !== null && typeof bound === "object" ? `tcp:127.0.0.1:${bound.port}` : `unix:${path}`;
  return { server, folder, token, tokenFile, address };
}
