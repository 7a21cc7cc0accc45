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
  /** Resolves when the watchdog has ended after `release`, or cannot be kept alive. */
  readonly exited: Promise<void>;
}

/** Somebody who kills it again and again means it; and a shell that cannot start must not be tried for ever. */
const MAX_REPLACEMENTS = 5;

export function startWatchdog(pgdata: string): Watchdog {
  let child = spawnShell(pgdata);
  let guarded: number | undefined;
  let released = false;
  let replacements = 0;
  const exited = new Promise<void>((resolve) => {
    const onEnd = (): void => {
      if (released || guarded === undefined || replacements === MAX_REPLACEMENTS) {
        resolve();
        return;
      }
      replacements += 1;
      child = spawnShell(pgdata);
      child.stdin?.write(`${guarded}\n`);
      listen();
    };
    const listen = (): void => {
      child.once("exit", onEnd);
      child.once("error", onEnd);
    };
    listen();
  });
  return {
    exited,
    guard: (pid) => {
      guarded = pid;
      child.stdin?.write(`${pid}\n`);
    },
    release: () => {
      released = true;
      child.ref();
      child.stdin?.end();
    },
  };
}

function spawnShell(pgdata: string): ChildProcess {
  const child = spawn(
    "/bin/sh",
    ["-c", SCRIPT, `tasker-postgres-watchdog of ${pgdata}`],
    // A session of its own: Ctrl-C in a terminal goes to the whole group and must not reach the watchdog.
    { cwd: "/", detached: true, stdio: ["pipe", "ignore", "ignore"] },
  );
  // The pipe of a watchdog that was killed is broken: its replacement gets another.
  child.stdin?.on("error", () => undefined);
  // The server must not keep a finished program alive: the program ends, and the watchdog stops the server.
  child.unref();
  unrefStream(child.stdin);
  return child;
}

function unrefStream(stream: unknown): void {
  if (typeof stream === "object" && stream !== null && "unref" in stream) {
    (stream as { unref(): void }).unref();
  }
}
