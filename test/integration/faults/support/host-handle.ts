import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { waitFor } from "../../../support/wait-for.js";
import type { Fault, FromHost, HostOptions, ToHost } from "./protocol.js";

const ANSWER_MS = 15_000;

/** The test's end of a host process. */
export class HostHandle {
  readonly #child: ChildProcess;
  readonly #heard: FromHost["tell"][] = [];
  readonly #ended: Promise<void>;
  #look: () => void = () => undefined;
  #errors = "";
  #isLoaded = false;
  #starting: Promise<void> | undefined;

  /** The process loads its program at once, and starts the host when {@link start} says so. */
  constructor(program: string, options: HostOptions) {
    this.#child = fork(program, [JSON.stringify(options)], {
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (chunk) => {
      this.#errors += String(chunk);
    });
    this.#child.on("message", (message: FromHost) => {
      this.#heard.push(message.tell);
      this.#look();
    });
    this.#ended = once(this.#child, "exit").then(() => this.#look());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves once the program is loaded: starting takes no longer than it does in a running process. */
  async loaded(): Promise<this> {
    if (!this.#isLoaded) await this.hear("ready");
    this.#isLoaded = true;
    return this;
  }

  /** May be called again; the host starts once. */
  async start(): Promise<this> {
    this.#starting ??= this.#start();
    await this.#starting;
    return this;
  }

  async arm(fault: Fault): Promise<void> {
    this.say({ do: "arm", fault });
    await this.hear("armed");
  }

  /** The step's handler stops after its side effect; `hear("held")` says that it has, `release` lets it go on. */
  async hold(step: string): Promise<void> {
    this.say({ do: "hold", step });
    await this.hear("holding");
  }

  say(message: ToHost): void {
    if (this.#child.connected) this.#child.send(message, () => undefined); // dead ones hear nothing
  }

  /** Resolves once the process has told this; each telling counts once. */
  async hear(tell: FromHost["tell"]): Promise<void> {
    const deadline = performance.now() + ANSWER_MS;
    while (!this.#heard.includes(tell)) {
      if (!this.#isRunning) {
        throw new Error(
          `the host ended without "${tell}" (${this.#child.signalCode}): ${this.#errors}`,
        );
      }
      const left = deadline - performance.now();
      if (left <= 0)
        throw new Error(`no "${tell}" from the host in ${ANSWER_MS} ms: ${this.#errors}`);
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#look = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
    this.#heard.splice(this.#heard.indexOf(tell), 1);
  }

  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    this.#child.kill(signal);
  }

  /** Resolves with what has ended the process. @throws when nothing does in time */
  async ended(): Promise<NodeJS.Signals | null> {
    await waitFor(() => !this.#isRunning, {
      timeoutMs: ANSWER_MS,
      intervalMs: 1,
      describe: "the process to end",
    });
    return this.#child.signalCode;
  }

  /** Lets the host drain and close, and the process end. */
  async stop(): Promise<void> {
    this.say({ do: "stop" });
    const timer = setTimeout(() => this.signal("SIGKILL"), 10_000);
    await this.#ended;
    clearTimeout(timer);
  }

  get #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #start(): Promise<void> {
    await this.loaded();
    this.say({ do: "start" });
    await this.hear("started");
  }
}
