import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { processesIn, sql, usePostgresSandbox } from "./support.js";

const sandbox = usePostgresSandbox();

describe("a first start", () => {
  it("gives a durable server of a supported version under a url that works", async () => {
    const server = await sandbox.start({ dataDir: join(sandbox.directory(), "pg") });
    const [settings] = await sql(
      server.url,
      `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit,
        current_setting('full_page_writes') as full_page_writes, current_setting('wal_level') as wal_level,
        current_setting('jit') as jit, current_setting('server_encoding') as encoding,
        current_setting('server_version') as version, current_database() as database`,
    );
    expect(settings).toEqual({
      fsync: "on",
      synchronous_commit: "on",
      full_page_writes: "on",
      wal_level: "minimal",
      jit: "off",
      encoding: "UTF8",
      version: server.version,
      database: "tasker",
    });
    expect(server).toMatchObject({ attached: false, source: "embedded" });
  });

  it("lets nobody in without the password, which only its owner can read", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const server = await sandbox.start({ dataDir });
    const passwordFile = join(dataDir, "cluster", "password");
    expect(statSync(passwordFile).mode & 0o777).toBe(0o600);
    expect(statSync(join(dataDir, "cluster", "data")).mode & 0o777).toBe(0o700);
    expect(server.url).toContain(readFileSync(passwordFile, "utf8"));

    const guess = new URL(server.url);
    guess.password = "guess";
    await expect(sql(guess.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
    const [row] = await sql<{ addresses: string }>(
      server.url,
      "select current_setting('listen_addresses') || current_setting('unix_socket_directories') as addresses",
    );
    expect(row?.addresses).toBe("127.0.0.1");
  });

  it("shows nothing to git", async () => {
    const project = sandbox.directory();
    execFileSync("git", ["init", "--quiet"], { cwd: project });
    const server = await sandbox.start({ dataDir: join(project, ".tasker", "postgres") });
    const status = (): string =>
      execFileSync("git", ["status", "--porcelain", "--untracked-files=all"], {
        cwd: project,
        encoding: "utf8",
      });
    expect(status()).toBe("");
    await server.stop();
    expect(status()).toBe("");
  });

  it("gives up when its signal aborts, and leaves no process", async () => {
    const directory = sandbox.directory();
    const abort = new AbortController();
    const starting = sandbox.start({ dataDir: join(directory, "pg"), signal: abort.signal });
    setImmediate(() => abort.abort(new Error("changed my mind")));
    await expect(starting).rejects.toThrow("changed my mind");
    await expect.poll(() => processesIn(directory)).toEqual([]);
  });

  it("reports the server's own words when it does not come up", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    await expect(
      sandbox.start({ dataDir, settings: { shared_buffers: "lots" } }),
    ).rejects.toMatchObject({
      code: "DATABASE_START_FAILED",
      message: expect.stringContaining('invalid value for parameter "shared_buffers": "lots"'),
    });
  });
});

describe("stop", () => {
  it("leaves no process, and a directory that starts again with its data and its port", async () => {
    const directory = sandbox.directory();
    const dataDir = join(directory, "pg");
    const first = await sandbox.start({ dataDir });
    await sql(first.url, "create table kept as select 42 as answer");
    expect(processesIn(directory).length).toBeGreaterThan(1);
    await first.stop();
    await first.stop();
    await first.exited;
    expect(processesIn(directory)).toEqual([]);

    const second = await sandbox.start({ dataDir });
    expect(await sql(second.url, "select answer from kept")).toEqual([{ answer: 42 }]);
    expect(second.url).toBe(first.url);
    expect(readFileSync(join(dataDir, "postgres.log"), "utf8")).not.toContain("automatic recovery");
  });

  it("ends open connections instead of waiting for them", async () => {
    const server = await sandbox.start({ dataDir: join(sandbox.directory(), "pg") });
    const sleeping = expect(sql(server.url, "select pg_sleep(600)")).rejects.toThrow();
    await expect
      .poll(() =>
        sql(
          server.url,
          "select from pg_stat_activity where query like '%pg_sleep(600)' and state = 'active' and pid <> pg_backend_pid()",
        ),
      )
      .toHaveLength(1);
    await server.stop();
    await sleeping;
  });
});

describe("a second start in the same directory", () => {
  it("attaches, and its stop leaves the server to its owner", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const owner = await sandbox.start({ dataDir });
    const guest = await sandbox.start({ dataDir });
    expect(guest).toMatchObject({
      attached: true,
      source: null,
      pid: owner.pid,
      url: owner.url,
      version: owner.version,
    });
    await guest.stop();
    expect(await sql(owner.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("waits for a server that is stopping, then starts its own", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const first = await sandbox.start({ dataDir });
    const stopping = first.stop();
    const second = await sandbox.start({ dataDir });
    await stopping;
    expect(second.attached).toBe(false);
    expect(second.pid).not.toBe(first.pid);
    expect(await sql(second.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("can name another database of the same cluster", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    await sandbox.start({ dataDir });
    const guest = await sandbox.start({ dataDir, database: "Other db" });
    expect(await sql(guest.url, "select current_database() as name")).toEqual([
      { name: "Other db" },
    ]);
  });
});

describe("a port that is taken", () => {
  it("is replaced by a free one", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = blocker.address() as { port: number };
      const server = await sandbox.start({ dataDir: join(sandbox.directory(), "pg"), port });
      expect(server.port).not.toBe(port);
      expect(await sql(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
    } finally {
      blocker.close();
    }
  });

  it("is used when it is free", async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    const server = await sandbox.start({ dataDir: join(sandbox.directory(), "pg"), port });
    expect(server.port).toBe(port);
  });
});
