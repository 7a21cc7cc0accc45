import { type ChildProcess, spawn } from "node:child_process";

/**
 * A shell of a few kilobytes that outlives this process by as long as it takes to stop the server. It holds the reading
 * end of a pipe; when the pipe closes, because `release` was called or because this process died in any way, kill -9
 * included, it asks for a fast shutdown, then an immediate one, then kills.
 */
const SCRIPT = `
read -r pid || exit 0
while read -r _; do :; done
gone() {
  tries=$1
  while kill -0 "$pid" 2>/dev/null; do
    [ "$tries" -gt 0 ] || return 1
    tries=$((tries - 1))
    sleep 0.05
  done
}
kill -INT "$pid" 2>/dev/null
gone 200 && exit 0
kill -QUIT "$pid" 2>/dev/null
gone 100 && exit 0
kill -KILL "$pid" 2>/dev/null
`;

export interface Watchdog {
  /** Names the server to stop. Call it right after the spawn, in the same turn of the event loop. */
  guard(pid: number): void;
  /** Stops the server if one is guarded, and ends the watchdog. */
  release(): void;
  /** Resolves when the watchdog process has ended. */
  readonly exited: Promise<void>;
}

export function startWatchdog(pgdata: string): Watchdog {
  const child: ChildProcess = spawn(
    "/bin/sh",
    ["-c", SCRIPT, `tasker-postgres-watchdog of ${pgdata}`],
    // A session of its own: Ctrl-C in a terminal goes to the whole group and must not reach the watchdog.
    { cwd: "/", detached: true, stdio: ["pipe", "ignore", "ignore"] },
  );
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  // A watchdog that was killed from outside leaves a broken pipe: nothing to do about it here.
  child.stdin?.on("error", () => undefined);
  child.unref();
  unrefStream(child.stdin);
  return {
    exited,
    guard: (pid) => void child.stdin?.write(`${pid}\n`),
    release: () => {
      child.ref();
      child.stdin?.end();
    },
  };
}

// The server must not keep a finished program alive: the program ends, and the watchdog stops the server.
function unrefStream(stream: unknown): void {
  if (typeof stream === "object" && stream !== null && "unref" in stream) {
    (stream as { unref(): void }).unref();
  }
}
