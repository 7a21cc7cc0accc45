/**
 * Every figure of one run, on one Postgres, on one machine:
 *   npm run bench -- [--quick] [--json <file>] [--only engine|split|growth|bridges|native|postgres]
 * Uses DATABASE_URL when set (a database of its own), else a throw-away embedded server.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import { resolveDatabase } from "../core/src/postgres/index.js";
import { type Figure, machine, printTable, rowOf, writeJson } from "./report.js";
import { measureBridges } from "./suites/bridges.js";
import { measureEngine } from "./suites/engine.js";
import { measureGrowth } from "./suites/growth.js";
import { measureNative } from "./suites/native.js";
import { measureCommits } from "./suites/postgres.js";
import { measureSplit } from "./suites/split.js";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    only: { type: "string" },
  },
});
const wants = (suite: string): boolean => values.only === undefined || values.only === suite;
const size = values.quick
  ? { rounds: 3, alone: 200, crowd: 1_500, seconds: 2, finished: 50_000, queued: 5_000 }
  : { rounds: 7, alone: 500, crowd: 5_000, seconds: 5, finished: 1_000_000, queued: 100_000 };

const directory = await mkdtemp(join(tmpdir(), "tasker-bench-"));
const database = await resolveDatabase({
  databaseUrl: process.env["DATABASE_URL"],
  dataDir: join(directory, "postgres"),
});
const figures: Figure[] = [];
let version = "not asked";
try {
  const commits = await measureCommits(database.url, {
    rounds: wants("postgres") ? size.rounds : 1,
    secondsPerRound: size.seconds,
  });
  version = commits.version;
  if (wants("postgres")) figures.push(commits.figure);
  if (wants("engine")) {
    console.error("engine: linear 4, alone and with 100 tasks in flight ...");
    figures.push(
      ...(await measureEngine({
        databaseUrl: database.url,
        rounds: size.rounds,
        alone: size.alone,
        crowd: size.crowd,
        inFlight: 100,
      })),
    );
  }
  if (wants("split")) {
    console.error("split: linear 4 alone, server and worker in processes of their own ...");
    figures.push(
      ...(await measureSplit({
        databaseUrl: database.url,
        rounds: size.rounds,
        alone: size.alone,
      })),
    );
  }
  if (wants("growth")) {
    console.error("growth: linear 4 beside what has been done and what waits ...");
    figures.push(
      ...(await withSiblings(database.url, (emptyUrl, grownUrl) =>
        measureGrowth({ emptyUrl, grownUrl, ...size }),
      )),
    );
  }
  if (wants("bridges")) {
    console.error("bridges: 300 bytes, 64 slots, no database ...");
    figures.push(...(await measureBridges({ rounds: size.rounds, seconds: size.seconds })));
  }
  if (wants("native")) {
    console.error("native: a library in C, alone and behind the engine ...");
    figures.push(...(await measureNative({ databaseUrl: database.url, ...size })));
  }
} finally {
  await database.close();
  await rm(directory, { recursive: true, force: true });
}

/** Two more databases of the same server, dropped afterwards. */
async function withSiblings<T>(
  url: string,
  work: (first: string, second: string) => Promise<T>,
): Promise<T> {
  const names = [1, 2].map((place) => `bench_${process.pid}_${place}`);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const name of names) await client.query(`create database ${name}`);
    const [first, second] = names.map((name) => {
      const sibling = new URL(url);
      sibling.pathname = `/${name}`;
      return sibling.href;
    });
    return await work(first as string, second as string);
  } finally {
    for (const name of names) await client.query(`drop database if exists ${name}`);
    await client.end();
  }
}

const rows = figures.map(rowOf);
console.log(`${machine(version)}\n`);
printTable(rows);
console.log(
  `\nrepeat: npm run bench --${values.quick ? " --quick" : ""}   (medians of ${size.rounds} rounds; the machine may be shared)`,
);
if (values.json !== undefined) writeJson(values.json, rows);
process.exitCode = rows.some((row) => row.pass === false) ? 1 : 0;
