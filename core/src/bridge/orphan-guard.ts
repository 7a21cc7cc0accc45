import { type ChildProcess, spawn } from "node:child_process";
import type { Logger } from "../observability/index.js";

/**
 * Reads lists of process groups, the latest counts, until the host that writes them is gone. Handlers get half a second
 * to notice the end of their channel by themselves and to tidy up.
 */
const PROGRAM = `
groups=
while read -r line; do groups=$line; done
[ -n "$groups" ] || exit 0
sleep 0.5
for group in $groups; do kill -s KILL -- "-$group"; done
`;

/**
 * Ends handler processes, and whatever they have started, when this host is gone without having ended them: by kill -9,
 * say. They notice the end of their channel themselves, unless they hang, compute without a pause, or are stopped; and
 * what they have started does not notice at all. So a small shell waits for the end of a pipe from here and then kills
 * their process groups. It has a session of its own, out of reach of what is sent to the host's group.
 *
 * Starts with the first process to {@link watch}; {@link close} ends it.
 */
export class OrphanGuard {
  readonly #logger: Logger;
  readonly #groups = new Set<number>();
  #shell: ChildProcess | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param leader a process that leads a group of its own, until `exited` settles: its owner has ended the group then. */
  watch(leader: { readonly pid: number | undefined; readonly exited: Promise<unknown> }): void {
    const { pid } = leader;
    if (pid === undefined) return;
    this.#groups.add(pid);
    this.#tell();
    void leader.exited.then(() => {
      this.#groups.delete(pid);
      if (this.#shell !== null) this.#tell();
    });
  }

  close(): void {
    this.#shell?.kill("SIGKILL");
    this.#shell = null;
  }

  #tell(): void {
    this.#shell ??= this.#start();
    this.#shell.stdin?.write(`${[...this.#groups].join(" ")}\n`);
  }

  #start(): ChildProcess {
    const shell = spawn("/bin/sh", ["-c", PROGRAM, "tasker-orphan-guard"], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    shell.once("error", (error) =>
      this.#logger.warn({ err: error }, "no /bin/sh: only the end of their channel ends handlers"),
    );
    // Gone, it reads nothing more; the next process to watch gets a new one.
    shell.once("exit", () => {
      if (this.#shell === shell) this.#shell = null;
    });
    shell.stdin?.on("error", () => undefined);
    // It shall not keep the host alive: waiting for the host to end is all it does.
    shell.unref();
    (shell.stdin as { unref?: () => void } | null)?.unref?.();
    return shell;
  }
}
