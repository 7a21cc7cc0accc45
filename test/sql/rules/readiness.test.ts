import { beforeAll, expect, test } from "vitest";
import { STEP_STATES } from "../../../core/src/state-machine/index.js";
import { readRules } from "../../conformance/rules/load.js";
import { type ReadinessFacts, readinessOf } from "../../conformance/rules/reference.js";
import { useTestDatabase } from "../../support/test-database.js";
import { SqlHost } from "../support/sql-host.js";
import { type ForcedStep, forceSteps, rolledBack } from "./forced-steps.js";

/** Readiness of one step: the table in readiness.json, and every combination of the facts, against SQL and TypeScript. */
const database = useTestDatabase();

type Readiness = ReturnType<typeof readinessOf>;
const { cases } = readRules<{ cases: (ReadinessFacts & Readiness & { name: string })[] }>(
  "readiness",
);
const combinations = STEP_STATES.flatMap((state) =>
  [0, 1, 3].flatMap((attempts) =>
    [1, 3].flatMap((max_attempts) =>
      [true, false].flatMap((retryable) =>
        [null, ...STEP_STATES].flatMap((parent) =>
          ([null, "past", "future"] as const)
            .filter((timer) => timer === null || state === "waiting_for_retry")
            .map(
              (timer): ReadinessFacts => ({
                state,
                attempts,
                max_attempts,
                retryable,
                parent,
                timer,
              }),
            ),
        ),
      ),
    ),
  ),
);

let readings: Readiness[];

/** Each set of facts is the second step of a task of two; one of a pair of templates has the edge between them. */
beforeAll(async () => {
  const all: readonly ReadinessFacts[] = [...cases, ...combinations];
  const hosts = {
    edge: await new SqlHost(database.pool).register([[], [0]]),
    none: await new SqlHost(database.pool).register([[], []]),
  };
  readings = await rolledBack(database.pool, async (db) => {
    const steps = new Map<bigint, ForcedStep>();
    const subjects: bigint[] = new Array(all.length);
    for (const [kind, host] of Object.entries(hosts)) {
      const wanted = [...all.entries()].filter(
        ([, facts]) => (facts.parent === null) === (kind === "none"),
      );
      const inside = new SqlHost(db);
      Object.assign(inside, { workerId: host.workerId, templateId: host.templateId });
      const { created } = await inside.create(wanted.length, { free: 0 });
      for (const [place, [index, facts]] of wanted.entries()) {
        const base = (created[place]?.taskId as bigint) << 20n;
        const { state, attempts, retryable, timer, parent } = facts;
        const isMet = readinessOf(facts).dependencies_satisfied;
        const pendingDependencies = isMet ? 0 : 1;
        steps.set(base, { state: parent ?? "pending" });
        steps.set(base + 1n, {
          state,
          attempts,
          maxAttempts: facts.max_attempts,
          retryable,
          timer,
          pendingDependencies,
        });
        subjects[index] = base + 1n;
      }
    }
    await forceSteps(db, steps);
    const { rows } = await db.query<Readiness & { step_id: bigint }>(
      `select x.step_id, x.dependencies_satisfied, x.retry_eligible, x.ready_for_execution
       from tasker_core._step_readiness(array(select s >> 20 from unnest($1::bigint[]) s)) x
       where x.step_id = any($1)`,
      [subjects.map(String)],
    );
    const byId = new Map(rows.map(({ step_id, ...reading }) => [step_id, reading]));
    return subjects.map((stepId) => byId.get(stepId) as Readiness);
  });
});

test.each(cases.map((one, index) => ({ ...one, index })))("$name", ({ index, name, ...row }) => {
  const { dependencies_satisfied, retry_eligible, ready_for_execution, ...facts } = row;
  const expected = { dependencies_satisfied, retry_eligible, ready_for_execution };
  expect(readinessOf(facts), `${name}: TypeScript`).toEqual(expected);
  expect(readings[index], `${name}: SQL`).toEqual(expected);
});

test("SQL and TypeScript agree on every combination", () => {
  expect(combinations.length).toBeGreaterThan(1500);
  const seen = readings.slice(cases.length);
  const apart = combinations.flatMap((facts, i) => {
    const expected = readinessOf(facts);
    return JSON.stringify(seen[i]) === JSON.stringify(expected)
      ? []
      : [{ facts, expected, sql: seen[i] }];
  });
  expect(apart).toEqual([]);
});
