import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  disownPid,
  parsePostmasterFile,
  readClusterState,
} from "../../src/postgres/postmaster-pid.js";
import { usePostgresSandbox } from "./support.js";

const sandbox = usePostgresSandbox();

function pidFile(pid: number): string {
  return `${pid}\n/data\n1790000000\n5433\n\n127.0.0.1\n  5432001    7\nready   \n`;
}

describe("parsePostmasterFile", () => {
  it("reads pid, port and status", () => {
    expect(parsePostmasterFile(pidFile(123))).toEqual({ pid: 123, port: 5433, status: "ready" });
  });

  it("reads the few lines of a server that has only begun", () => {
    expect(parsePostmasterFile("123\n/data\n")).toEqual({ pid: 123, port: 0, status: "" });
  });

  it.each(["", "\n", "postgres\n", "-1\n"])("sees no server in %j", (text) => {
    expect(parsePostmasterFile(text)).toBeNull();
  });
});

describe("a pid that belongs to somebody else", () => {
  it("is told apart, and replaced without losing the shared memory key", async () => {
    const pgdata = sandbox.directory();
    const path = join(pgdata, "postmaster.pid");
    const text = pidFile(process.pid);
    writeFileSync(path, text, { mode: 0o600 });
    expect(await readClusterState(pgdata)).toEqual({ kind: "pid-reused", text });

    await disownPid(pgdata, text);
    const [pid, ...rest] = readFileSync(path, "utf8").split("\n");
    expect(Number(pid)).toBeGreaterThan(4_194_304);
    expect(rest).toEqual(text.split("\n").slice(1));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await readClusterState(pgdata)).toEqual({ kind: "down" });
    expect(readdirSync(pgdata)).toEqual(["postmaster.pid"]);
  });

  it("is left alone when a server has written its own file since", async () => {
    const pgdata = join(sandbox.directory(), "data");
    mkdirSync(pgdata);
    const path = join(pgdata, "postmaster.pid");
    writeFileSync(path, pidFile(4242));
    await disownPid(pgdata, pidFile(process.pid));
    expect(readFileSync(path, "utf8")).toBe(pidFile(4242));
    await disownPid(join(pgdata, "gone"), pidFile(1));
  });
});
