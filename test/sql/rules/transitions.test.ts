import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import {
  nextStepState,
  nextTaskState,
  STEP_STATES,
  STEP_TRANSITIONS,
  TASK_STATES,
  TASK_TRANSITIONS,
} from "../../../core/src/state-machine/index.js";
import { readRules } from "../../conformance/rules/load.js";
import { useTestDatabase } from "../../support/test-database.js";
import { SqlHost } from "../support/sql-host.js";
import { rolledBack } from "./forced-steps.js";

/** transitions.json against TypeScript, SQL and the docs: every row, and every pair of state and event that is no row. */
const database = useTestDatabase();

type Row = readonly [from: string, event: string, to: string];
const rules = readRules<{ task: Row[]; task_ours: Row[]; step: Row[] }>("transitions");

const machines = [
  {
    what: "task",
    rows: [...rules.task, ...rules.task_ours],
    states: TASK_STATES as readonly string[],
    own: TASK_TRANSITIONS as Readonly<Record<string, Readonly<Record<string, string>>>>,
    next: nextTaskState as (state: string, event: string) => string,
    count: 35 + 4,
  },
  {
    what: "step",
    rows: rules.step,
    states: STEP_STATES as readonly string[],
    own: STEP_TRANSITIONS as Readonly<Record<string, Readonly<Record<string, string>>>>,
    next: nextStepState as (state: string, event: string) => string,
    count: 27 + 2 * 10,
  },
];

const text = (rows: readonly Row[]) => rows.map((row) => row.join(" ")).sort();

async function documented(what: string): Promise<string[]> {
  const path = new URL("../../../docs/reference/states.md", import.meta.url);
  const heading = what === "task" ? "Task transitions" : "Step transitions";
  const section =
    (await readFile(path, "utf8")).split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = [...section.matchAll(/^\| (\w+) \| (\w+) \| (\w+) \|$/gm)];
  return rows
    .map((row) => row.slice(1, 4).join(" "))
    .filter((row) => row !== "from event to")
    .sort();
}

describe.each(machines)("transitions of a $what", ({ what, rows, states, own, next, count }) => {
  const events = [...new Set(rows.map(([, event]) => event))];
  const listed = new Map(rows.map(([from, event, to]) => [`${from} ${event}`, to]));
  const refused = states.flatMap((from) =>
    events
      .filter((event) => !listed.has(`${from} ${event}`))
      .map((event) => [from, event] as const),
  );

  test("are the same in TypeScript, SQL and the docs", async () => {
    expect(rows).toHaveLength(count);
    const typescript = Object.entries(own).flatMap(([from, to]) =>
      Object.entries(to).map(([event, state]): Row => [from, event, state]),
    );
    expect(text(typescript)).toEqual(text(rows));
    const { rows: sql } = await database.pool.query<{ row: string }>(
      `select concat_ws(' ', from_state, event, to_state) as row from tasker_core.${what}_transition_rules`,
    );
    expect(sql.map(({ row }) => row).sort()).toEqual(text(rows));
    expect(await documented(what)).toEqual(text(rows));
  });

  test.each(rows)("%s accepts %s and becomes %s", (from, event, to) => {
    expect(next(from, event)).toBe(to);
  });

  test("every other pair is refused by TypeScript", () => {
    expect(refused).toHaveLength(states.length * events.length - rows.length);
    for (const [from, event] of refused) {
      expect(() => next(from, event)).toThrow(
        `A ${what} in state \`${from}\` does not accept ${event}; it accepts`,
      );
    }
  });

  test("every other pair is refused by the database, whatever state it claims to lead to", async () => {
    const tried = refused.flatMap(([from, event]) => states.map((to): Row => [from, event, to]));
    const change =
      what === "task"
        ? `update tasker_core.task_moves set from_state = t.f::tasker_core.task_state,
             to_state = t.s::tasker_core.task_state, path = array[t.s]::tasker_core.task_state[], events = array[t.e]
           where from_state is null and to_state = 'complete'`
        : `update tasker_core.step_moves set from_states = array[t.f]::tasker_core.step_state[],
             path = array[t.s]::tasker_core.step_state[], events = array[t.e] where move = 'enqueue'`;
    const accepted = await rolledBack(database.pool, async (db) => {
      await db.query("create temporary table tried (f text, e text, s text, accepted boolean)");
      await db.query(
        "insert into tried select * , null from unnest($1::text[], $2::text[], $3::text[])",
        [0, 1, 2].map((column) => tried.map((row) => row[column])),
      );
      await db.query(`do $$
        declare t record;
        begin
          for t in select * from tried loop
            begin
              ${change};
              update tried set accepted = true where f = t.f and e = t.e and s = t.s;
            exception when sqlstate 'TK001' then null;
            end;
          end loop;
        end $$`);
      return (await db.query("select f, e, s from tried where accepted")).rows;
    });
    expect(tried.length).toBeGreaterThan(500);
    expect(accepted).toEqual([]);
  });
});

test("every move of the log's type has a path", async () => {
  const { rows } = await database.pool.query<{ missing: string }>(
    `select m::text as missing from unnest(enum_range(null::tasker_core.step_move)) m
     where not exists (select from tasker_core.step_moves s where s.move = m)`,
  );
  expect(rows).toEqual([]);
});

test("a tool moves a task only along the table, and ends it wherever the table lets it", async () => {
  const host = await new SqlHost(database.pool).register([[]]);
  const { created } = await host.create(1);
  const answers = await rolledBack(database.pool, async (db) => {
    const { rows } = await db.query<{ f: string; t: string; moved: boolean }>(
      `select f, t, null::boolean as moved from unnest($1::text[]) f, unnest($1::text[]) t`,
      [TASK_STATES],
    );
    for (const row of rows) {
      await db.query("savepoint before");
      await db.query("update tasker_core.tasks set state = $1 where task_id = $2", [
        row.f,
        String(created[0]?.taskId),
      ]);
      const answer = await db.query<{ moved: boolean }>(
        `select tasker.transition_task_state_atomic(t.task_uuid, $1, $2) as moved from tasker.tasks t where t.task_id = $3`,
        [row.f, row.t, String(created[0]?.taskId)],
      );
      row.moved = answer.rows[0]?.moved === true;
      await db.query("rollback to savepoint before");
    }
    return rows;
  });
  const listed = new Set(
    [...rules.task, ...rules.task_ours].map(([from, , to]) => `${from} ${to}`),
  );
  const byHand = ["cancelled", "resolved_manually", "error"];
  for (const { f, t, moved } of answers) {
    if (!listed.has(`${f} ${t}`)) expect(moved, `${f} to ${t}`).toBe(false);
    else if (byHand.includes(t)) expect(moved, `${f} to ${t}`).toBe(true);
  }
  expect(answers).toHaveLength(144);
});
