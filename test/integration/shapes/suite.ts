import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import type { ShapeHosts, ShapeHostsOptions } from "./hosts.js";
import {
  type Shape,
  type ShapeCase,
  speakers,
  templateName,
  templateOf,
  templateText,
} from "./shape.js";
import { ACTED_ON } from "./tables/acted-on.js";
import { BATCHES, FEW_ROWS, ROW_COUNT, rowOf } from "./tables/batches.js";
import { DECISIONS } from "./tables/decisions.js";
import { EVENTS } from "./tables/events.js";
import { FAULTS } from "./tables/faults.js";
import { GRAPHS } from "./tables/graphs.js";
import { type TaskEnd, taskEnds } from "./trail.js";
import { LANGUAGES, MIXED, VOICES, type Voice } from "./voices.js";

const TABLE: readonly Shape[] = [...GRAPHS, ...DECISIONS, ...BATCHES, ...FAULTS, ...EVENTS];

/** What the tests of one mode share. Read the properties inside tests and hooks only. */
export interface ShapeWorld {
  readonly database: ReturnType<typeof useTestDatabase>;
  hosts(): ShapeHosts;
  /** A folder of this run, removed at its end. */
  folder(): string;
}

interface Run {
  readonly taskUuid: string;
  readonly state: string;
}

/**
 * Every row of the table in every voice, on hosts that all of them share. The tasks are created together and run side by
 * side; the tests only look at how theirs ended.
 */
export function describeShapes(
  start: (options: ShapeHostsOptions) => Promise<ShapeHosts>,
  tests: (world: ShapeWorld) => void,
): void {
  const database = useTestDatabase({ maxConnections: 4 });
  const runs = new Map<string, Promise<Run>>();
  let ends: Promise<Map<string, TaskEnd>> | undefined;
  let hosts: ShapeHosts | undefined;
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tasker-shapes-"));
    process.env["SHAPES_EVENTS"] = join(folder, "events");
    const files = await writeFiles(folder);
    const voices = [...VOICES, MIXED];
    const templates = [...TABLE, ...ACTED_ON].flatMap((shape) =>
      voices.map((voice) => templateText(shape, voice)),
    );
    hosts = await start({ databaseUrl: database.url, templates });
    const { front } = hosts;
    for (const each of everyRow()) {
      const run = front.run(templateName(each.shape, each.voice), each.row.input(files), 60_000);
      run.catch(() => undefined); // the test that waits for it tells
      runs.set(runName(each), run);
    }
  }, 120_000);
  afterAll(async () => {
    await Promise.allSettled(runs.values());
    await assertIntegrity(database.pool);
    await hosts?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const world: ShapeWorld = {
    database,
    hosts: () => {
      if (hosts === undefined) throw new Error("no hosts outside tests and hooks");
      return hosts;
    },
    folder: () => folder,
  };

  for (const { voice, shape, row } of everyRow()) {
    const speakerOf = speakers(templateOf(shape, voice), voice);
    test(`${voice.name} ${shape.name}: ${row.title}`, async () => {
      const run = await runs.get(runName({ voice, shape, row }));
      if (run === undefined) throw new Error("the task was not created");
      const { trail, steps } = await endOf(run.taskUuid);
      expect({ state: run.state, steps }).toEqual({
        state: row.state,
        steps: row.steps(speakerOf),
      });
      if (row.taskTrail !== undefined) expect(trail).toEqual(row.taskTrail);
      if (row.events !== undefined) await expectEvents(run.taskUuid, row.events);
      expect(await investigated(run.taskUuid)).toEqual(row.investigated?.(speakerOf) ?? []);
    });
  }

  tests(world);

  /** The views of the trail are made for reading many tasks at once: all of them are read when the last one rests. */
  async function endOf(taskUuid: string): Promise<TaskEnd> {
    ends ??= Promise.allSettled(runs.values()).then(() => taskEnds(database.pool));
    const end = (await ends).get(taskUuid);
    if (end === undefined) throw new Error(`there is no task ${taskUuid}`);
    return end;
  }

  /** The steps for which a dead letter was opened. */
  async function investigated(taskUuid: string): Promise<string[]> {
    const { rows } = await database.pool.query<{ name: string }>(
      `select s ->> 'name' as name from tasker.tasks_dlq d, jsonb_array_elements(d.metadata -> 'steps') s
       where d.task_uuid = $1 and d.dlq_reason = 'max_retries_exceeded' order by 1`,
      [taskUuid],
    );
    return rows.map(({ name }) => name);
  }

  async function expectEvents(taskUuid: string, events: readonly string[]): Promise<void> {
    const through = (...modes: string[]) =>
      events.filter((name) => modes.includes(name.split(".")[0] ?? "")).sort();
    const fast = through("fast", "broadcast");
    for (const language of LANGUAGES) {
      const seen = () => eventsSeen(join(folder, `events.${language}`), taskUuid);
      await waitFor(async () => (await seen()).length >= fast.length, {
        describe: () => `${fast.length} events of ${taskUuid} in ${language}`,
      });
      expect([language, ...(await seen())]).toEqual([language, ...fast]);
    }
    const { rows } = await database.pool.query<{ name: string }>(
      `select message ->> 'event_name' as name from pgmq.q_tests_domain_events
       where message -> 'metadata' ->> 'task_uuid' = $1`,
      [taskUuid],
    );
    expect(rows.map(({ name }) => name).sort()).toEqual(through("durable", "broadcast"));
  }
}

async function eventsSeen(file: string, taskUuid: string): Promise<(string | undefined)[]> {
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  return lines
    .map((line) => line.split(" "))
    .filter(([task]) => task === taskUuid)
    .map(([, name]) => name)
    .sort();
}

interface TableRow {
  readonly voice: Voice;
  readonly shape: Shape;
  readonly row: ShapeCase;
}

const everyRow = (): TableRow[] =>
  [...VOICES, MIXED].flatMap((voice) =>
    TABLE.flatMap((shape) => shape.cases.map((row) => ({ voice, shape, row }))),
  );

const runName = ({ shape, voice, row }: TableRow) => `${templateName(shape, voice)}: ${row.title}`;

async function writeFiles(folder: string) {
  const write = async (name: string, rows: number) => {
    const lines = Array.from({ length: rows }, (_, i) => Object.values(rowOf(i + 1)).join(","));
    const path = join(folder, name);
    await writeFile(path, `${["id,amount", ...lines].join("\n")}\n`);
    return path;
  };
  return {
    rows: await write("rows.csv", ROW_COUNT),
    fewRows: await write("few-rows.csv", FEW_ROWS),
    oneRow: await write("one-row.csv", 1),
    noRows: await write("no-rows.csv", 0),
  };
}
