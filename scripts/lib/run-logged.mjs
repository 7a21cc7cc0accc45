import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";

const GRACE_MS = 15_000;

/**
 * Runs a command with its output in a file and in memory. It leads a process group, which is ended as a whole when the
 * time is up or the signal aborts: first asked, then killed.
 */
export async function runLogged([program, ...args], { cwd = ".", log, timeLimitMs, signal }) {
  const file = createWriteStream(log);
  const chunks = [];
  const child = spawn(program, args, { cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      chunks.push(chunk);
      file.write(chunk);
    });
  }
  let remark = "";
  let kill;
  const end = (why) => {
    remark = ` ${why}`;
    signalGroup(child.pid, "SIGTERM");
    kill = setTimeout(() => signalGroup(child.pid, "SIGKILL"), GRACE_MS);
  };
  const limit = setTimeout(() => end(`ended after ${timeLimitMs / 1000} s`), timeLimitMs);
  const onAbort = () => end("interrupted");
  signal.addEventListener("abort", onAbort, { once: true });

  const exitCode = await new Promise((resolve) => {
    child.once("error", (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      resolve(127);
    });
    // A grandchild may hold the pipes: what it writes after its parent's end is of no interest.
    child.once("exit", (code) => setImmediate(() => resolve(code ?? 1)));
  });
  clearTimeout(limit);
  clearTimeout(kill);
  signal.removeEventListener("abort", onAbort);
  child.stdout?.destroy();
  child.stderr?.destroy();
  file.end();
  await finished(file);
  return {
    exitCode: remark === "" ? exitCode : 1,
    output: Buffer.concat(chunks).toString(),
    remark,
  };
}

function signalGroup(pid, name) {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
