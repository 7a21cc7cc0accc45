import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { STEP_TRANSITIONS, TASK_TRANSITIONS } from "../../../core/src/state-machine/index.js";
import { useTestDatabase } from "../../support/test-database.js";

const database = useTestDatabase();

type Row = { from_state: string; event: string; to_state: string };

function rowsOf(table: Readonly<Record<string, Readonly<Record<string, string>>>>): string[] {
  return Object.entries(table)
    .flatMap(([from, events]) =>
      Object.entries(events).map(([event, to]) => `${from} ${event} ${to}`),
    )
    .sort();
}

async function sqlRows(table: string): Promise<string[]> {
  const { rows } = await database.pool.query<Row>(
    `select from_state::text, event, to_state::text from tasker_core.${table}`,
  );
  return rows.map((row) => `${row.from_state} ${row.event} ${row.to_state}`).sort();
}

async function documentedRows(heading: string): Promise<string[]> {
  const text = await readFile(
    new URL("../../../docs/reference/states.md", import.meta.url),
    "utf8",
  );
  const section = text.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| (\w+) \| (\w+) \| (\w+) \|$/gm)]
    .map((match) => `${match[1]} ${match[2]} ${match[3]}`)
    .filter((row) => row !== "from event to")
    .sort();
}

test.each([
  ["task", "task_transition_rules", "Task transitions", TASK_TRANSITIONS, 19 + 4 + 2 * 8],
  ["step", "step_transition_rules", "Step transitions", STEP_TRANSITIONS, 27 + 2 * 10],
] as const)(
  "the %s transitions are the same in SQL, TypeScript and the docs",
  async (_, table, heading, own, count) => {
    const typescript = rowsOf(own);
    expect(typescript).toHaveLength(count);
    expect(await sqlRows(table)).toEqual(typescript);
    expect(await documentedRows(heading)).toEqual(typescript);
  },
);

test("a move that is no chain of listed transitions is refused", async () => {
  const insert = database.pool.query(
    `update tasker_core.step_moves set path = '{complete}', events = '{Complete}' where move = 'enqueue'`,
  );
  await expect(insert).rejects.toThrow(
    /pending -Complete-> complete is not in the transition table/,
  );
});

test("every move of the log's type has a path", async () => {
  const { rows } = await database.pool.query<{ missing: string }>(
    `select m::text as missing from unnest(enum_range(null::tasker_core.step_move)) m
     where not exists (select from tasker_core.step_moves s where s.move = m)`,
  );
  expect(rows).toEqual([]);
});
