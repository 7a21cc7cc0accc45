import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { waitFor } from "../../../test/support/wait-for.js";
import { processesIn, sql, usePostgresSandbox, waitForNoProcess } from "./support.js";

const sandbox = usePostgresSandbox();

describe("after kill -9 of the server", () => {
  it("the next start recovers what was committed", async () => {
    const directory = sandbox.directory();
    const dataDir = join(directory, "pg");
    const first = await sandbox.start({ dataDir });
    await sql(first.url, "create table kept as select 42 as answer");
    process.kill(first.pid, "SIGKILL");
    await first.exited;

    const second = await sandbox.start({ dataDir });
    expect(second.attached).toBe(false);
    expect(await sql(second.url, "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it("the pid in its file may belong to somebody else by now", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const first = await sandbox.start({ dataDir });
    process.kill(first.pid, "SIGKILL");
    await first.exited;
    const stranger: ChildProcess = spawn("sleep", ["600"], { stdio: "ignore" });
    try {
      const pidFile = join(dataDir, "cluster", "data", "postmaster.pid");
      const [, ...rest] = readFileSync(pidFile, "utf8").split("\n");
      writeFileSync(pidFile, [String(stranger.pid), ...rest].join("\n"));

      const second = await sandbox.start({ dataDir });
      expect(second.attached).toBe(false);
      expect(await sql(second.url, "select 1 as one")).toEqual([{ one: 1 }]);
      expect(stranger.exitCode).toBeNull();
      expect(stranger.signalCode).toBeNull();
    } finally {
      stranger.kill("SIGKILL");
    }
  });
});

describe("when the process that started the server ends", () => {
  for (const signal of ["SIGKILL", "SIGTERM", "SIGINT"] as const) {
    it(`by ${signal}, the server shuts down cleanly`, async () => {
      const directory = sandbox.directory();
      const dataDir = join(directory, "pg");
      const owner = await sandbox.owner({ dataDir });
      expect(processesIn(directory).length).toBeGreaterThan(1);
      owner.child.kill(signal);
      await once(owner.child, "exit");
      await waitForNoProcess(directory);

      await sandbox.start({ dataDir });
      expect(readFileSync(join(dataDir, "postgres.log"), "utf8")).not.toMatch(
        /not properly shut down|automatic recovery/,
      );
    });
  }

  for (const ending of ["exit", "return"] as const) {
    it(`by ${ending} without stop(), the program ends and so does the server`, async () => {
      const directory = sandbox.directory();
      const owner = await sandbox.owner({ dataDir: join(directory, "pg") }, { ending });
      if (owner.child.exitCode === null) await once(owner.child, "exit");
      expect(owner.child.exitCode).toBe(0);
      await waitForNoProcess(directory);
    });
  }

  it("by SIGKILL in the middle of its first start, nothing is left that looks like a cluster", async () => {
    const directory = sandbox.directory();
    const dataDir = join(directory, "pg");
    const child = sandbox.spawnOwner({ dataDir });
    await waitFor(() => processesIn(directory).some((line) => line.includes("initdb")), {
      intervalMs: 5,
      describe: "initdb to run",
    });
    child.kill("SIGKILL");
    await waitForNoProcess(directory);
    expect(existsSync(join(dataDir, "cluster"))).toBe(false);

    const server = await sandbox.start({ dataDir });
    expect(await sql(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("the server ends even when somebody killed the watchdog before", async () => {
    const directory = sandbox.directory();
    const owner = await sandbox.owner({ dataDir: join(directory, "pg") });
    const watchdogs = (): string[] =>
      processesIn(directory).filter((line) => line.includes("tasker-postgres-watchdog"));
    const [first] = watchdogs();
    process.kill(Number.parseInt(first ?? "", 10), "SIGKILL");
    await waitFor(() => watchdogs().length === 1 && watchdogs()[0] !== first, {
      describe: "another watchdog",
    });
    owner.child.kill("SIGKILL");
    await waitForNoProcess(directory);
  });

  it("a guest can take the cluster over", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const owner = await sandbox.owner({ dataDir });
    await sql(owner.url, "create table kept as select 42 as answer");
    const guest = await sandbox.start({ dataDir });
    expect(guest.attached).toBe(true);
    owner.child.kill("SIGKILL");
    await once(owner.child, "exit");
    await expect
      .poll(() =>
        sql(guest.url, "select 1").then(
          () => "up",
          () => "down",
        ),
      )
      .toBe("down");

    const heir = await sandbox.start({ dataDir });
    expect(heir.attached).toBe(false);
    expect(await sql(heir.url, "select answer from kept")).toEqual([{ answer: 42 }]);
  });
});

describe("several processes that start at once", () => {
  it("in an empty directory end up with one server", async () => {
    const directory = sandbox.directory();
    const dataDir = join(directory, "pg");
    const owners = await Promise.all([1, 2, 3].map(() => sandbox.owner({ dataDir })));
    expect(new Set(owners.map(({ pid }) => pid)).size).toBe(1);
    expect(new Set(owners.map(({ url }) => url)).size).toBe(1);
    expect(owners.map(({ attached }) => attached).sort()).toEqual([false, true, true]);
  });

  it("on a crashed cluster end up with one server", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const first = await sandbox.start({ dataDir });
    process.kill(first.pid, "SIGKILL");
    await first.exited;
    const servers = await Promise.all([1, 2, 3].map(() => sandbox.start({ dataDir })));
    expect(new Set(servers.map(({ pid }) => pid)).size).toBe(1);
    expect(servers.filter(({ attached }) => !attached)).toHaveLength(1);
  });
});
