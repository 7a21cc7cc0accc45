import { randomInt } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPumpConnection, type PumpConnection } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";
import { type Action, actionOf, COMMAND_KINDS, runInModel, successes } from "./commands.js";
import { Model } from "./model.js";
import { type Program, program } from "./programs.js";
import { isResting, LEASE_MS } from "./rules.js";
import { NAMESPACE, Subject, snapshotOf } from "./subject.js";

// TASKER_MODEL_RUNS: how many programs. TASKER_MODEL_SEED: repeats the run whose report names that seed.
const RUNS = Number(process.env["TASKER_MODEL_RUNS"] ?? 2_000);
const SEED = Number(process.env["TASKER_MODEL_SEED"] ?? randomInt(2 ** 31));
/** Rolled back rows are dead rows: without this the scans of the checks become slower and slower. */
const PROGRAMS_PER_VACUUM = 50;
/** A chain of all steps that a task can have is shorter. */
const MAX_ROUNDS = 50;

const database = useTestDatabase();
const ran = new Map<string, number>();
let db: PumpConnection;
let programs = 0;

beforeAll(async () => {
  // The queue of the namespace stays; everything else is rolled back after each program.
  await new SqlHost(database.pool).register([[]], { namespace: NAMESPACE });
  db = await openPumpConnection(database.url);
});

afterAll(() => db.close());

test(
  `${RUNS} random programs do in SQL what they do in the model, after every command (seed ${SEED})`,
  async () => {
    await fc.assert(fc.asyncProperty(program, runProgram), { numRuns: RUNS, seed: SEED });
  },
  60_000 + RUNS * 300,
);

test.runIf(RUNS >= 200)("every command had its turn, many times", () => {
  const counts = COMMAND_KINDS.map((kind) => [kind, ran.get(kind) ?? 0] as const);
  expect(counts.filter(([, count]) => count < RUNS / 10)).toEqual([]);
});

async function runProgram({ template, first, commands }: Program): Promise<void> {
  await db.query("begin");
  try {
    const model = new Model(template);
    const subject = await Subject.open(db, template);
    for (const [position, command] of [first, ...commands].entries()) {
      const action = actionOf(command, model);
      if (action === null) continue;
      await runBoth(action, model, subject, `command ${position}, ${command.kind}`);
      ran.set(command.kind, (ran.get(command.kind) ?? 0) + 1);
    }
    await bringToRest(model, subject);
    await assertIntegrity(db);
  } finally {
    await db.query("rollback");
    programs += 1;
    if (programs % PROGRAMS_PER_VACUUM === 0) await db.query("vacuum");
  }
}

async function runBoth(action: Action, model: Model, subject: Subject, at: string): Promise<void> {
  const answer = await subject.run(action);
  assertSame(answer, runInModel(action, model), `${at}: its answer, SQL against model`);
  const snapshot = await subject.snapshot();
  assertSame(snapshot, snapshotOf(model), `${at}: the state after it, SQL against model`);
}

/** Whatever happened before: once every step succeeds, no task is left waiting. */
async function bringToRest(model: Model, subject: Subject): Promise<void> {
  const run = (action: Action): Promise<void> => runBoth(action, model, subject, "at the end");
  for (let round = 0; round < MAX_ROUNDS && !model.tasks.every(isResting); round += 1) {
    await run({ kind: "advance", ms: LEASE_MS });
    await run({ kind: "repair" });
    await run({ kind: "process", limit: 1000, wakesTimers: true });
    await run({ kind: "claim", free: 1000, limit: 1000, worker: 0 });
    await run({ kind: "tick", reports: successes(model), free: 0, wakesTimers: true, worker: 0 });
  }
  expect(model.tasks.filter((task) => !isResting(task)).map((task) => task.state)).toEqual([]);
}

/** `expect` for the explanation only: it costs more than all of the rest of a command. */
function assertSame(actual: unknown, expected: unknown, message: string): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual, message).toEqual(expected);
}
