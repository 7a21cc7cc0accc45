import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE_MS = 3000;

/** Processes, this one apart, that carry the mark in their environment, as `pid command`; a dying one gets a moment. */
export async function leftovers(mark) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = existsSync("/proc/self/environ") ? fromProc(mark) : fromPs(mark);
    if (found.length === 0 || Date.now() > deadline) return found;
    await sleep(100);
  }
}

// Not everybody has ps: slim images leave it out.
function fromProc(mark) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => textOf(`/proc/${pid}/environ`).split("\0").includes(`TASKER_TEST_RUN=${mark}`))
    .map((pid) => `${pid} ${textOf(`/proc/${pid}/cmdline`).split("\0").slice(0, 4).join(" ")}`);
}

function textOf(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // gone, or another user's
  }
}

function fromPs(mark) {
  // `e` shows the environment behind the command.
  const table = execFileSync("ps", ["axeww", "-o", "pid=,command="], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return table
    .split("\n")
    .filter((line) => line.includes(`TASKER_TEST_RUN=${mark}`))
    .map((line) => line.trim().split(/\s+/))
    .filter(([pid, program]) => Number(pid) !== process.pid && program !== "ps")
    .map(([pid, ...words]) => `${pid} ${words.slice(0, 4).join(" ")}`);
}
