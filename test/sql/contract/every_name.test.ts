import { readFile } from "node:fs/promises";
import pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { newUuid } from "../../../core/src/lib/uuid.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import { DIAMOND, SqlHost } from "../support/sql-host.js";

interface ContractFunction {
  readonly name: string;
  readonly arguments: string;
  /** A type, or the columns of the rows. */
  readonly returns: string | readonly string[];
  readonly call: string;
}

const { enums, relations, functions }: Contract = JSON.parse(
  await readFile(new URL("../../conformance/rules/contract-sql.json", import.meta.url), "utf8"),
);
interface Contract {
  readonly enums: Readonly<Record<string, readonly string[]>>;
  readonly relations: Readonly<Record<string, readonly string[]>>;
  readonly functions: readonly ContractFunction[];
}

const database = useTestDatabase();
const QUEUE = "worker_contract_queue";
let names: Readonly<Record<string, string>>;

/** One task half done, one blocked; a queue with two messages. */
beforeAll(async () => {
  const host = await new SqlHost(database.pool).register(DIAMOND);
  const created = await host.create(1);
  await host.tick(created.claims);
  const failing = await host.create(1);
  await host.tick(failing.claims, { verdict: 2, body: '{"success":false}' });
  await database.pool.query("select pgmq.create($1)", [QUEUE]);
  await database.pool.query("select pgmq.send($1, '{}') from generate_series(1, 2)", [QUEUE]);
  const { rows } = await database.pool.query<{ task: string; steps: string[] }>(
    `select task_uuid as task, array_agg(workflow_step_uuid order by step_id) as steps
     from tasker.workflow_steps group by task_uuid order by min(step_id) limit 1`,
  );
  const { task = "", steps = [] } = rows[0] ?? {};
  names = {
    task: `'${task}'::uuid`,
    step: `'${steps[0]}'::uuid`,
    last: `'${steps[3]}'::uuid`,
    queue: `'${QUEUE}'`,
    other: `'${newUuid()}'::uuid`,
  };
});

test.each(Object.entries(enums))("the enum %s has the contract's labels", async (name, labels) => {
  const { rows } = await database.pool.query<{ labels: string[] }>(
    `select enum_range(null::tasker.${name})::text[] as labels`,
  );
  expect(rows[0]?.labels).toEqual(labels);
});

test.each(Object.entries(relations))(
  "%s can be read with the contract's columns",
  async (name, columns) => {
    const { rowCount } = await database.pool.query(
      `select ${columns.join(", ")} from tasker.${name}`,
    );
    expect(rowCount).not.toBeNull();
    const { rows } = await database.pool.query<{ name: string; type: string }>(
      `select attname::text as name, format_type(atttypid, null) as type from pg_attribute
     where attrelid = ('tasker.' || $1)::regclass and attnum > 0`,
      [name],
    );
    const zoned = rows.filter(({ type }) => type === "timestamp with time zone");
    expect(zoned).toEqual([]);
  },
);

describe.each(functions)("$name($arguments)", ({ name, arguments: parameters, returns, call }) => {
  test("has the contract's parameters and result", async () => {
    const { rows } = await database.pool.query<{ parameters: string; result: string }>(
      `select array_to_string(array(
           select format_type(t, null) from unnest(p.proargtypes) with ordinality a(t, n) order by n), ', ') as parameters,
         pg_get_function_result(p.oid) as result
       from pg_proc p where p.pronamespace = 'tasker'::regnamespace and p.proname = $1`,
      [name],
    );
    expect(rows.map((row) => row.parameters)).toEqual([parameters]);
    const result = rows[0]?.result ?? "";
    if (typeof returns === "string") expect(result.toLowerCase()).toBe(returns);
    else expect(columnsOf(result)).toEqual(returns);
  });

  test("can be called", async () => {
    const text = call.replace(
      /:(task|step|last|queue|other)\b/g,
      (_, key: string) => names[key] ?? "",
    );
    const { rows } = await database.pool.query(`select * from tasker.${text}`);
    if (typeof returns === "string") expect(rows.length).toBeGreaterThan(0);
    else for (const row of rows) expect(Object.keys(row)).toEqual(returns);
  });
});

function columnsOf(result: string): string[] {
  return [...result.replace(/^TABLE\(|\)$/g, "").matchAll(/(?:^|, )(\w+) /g)].map(
    (found) => found[1] ?? "",
  );
}

test("the list names every function of the schema `tasker`, but the clock", async () => {
  const { rows } = await database.pool.query<{ name: string }>(
    `select distinct proname::text as name from pg_proc where pronamespace = 'tasker'::regnamespace and proname <> 'now'
     order by 1`,
  );
  expect(rows.map((row) => row.name)).toEqual(functions.map(({ name }) => name).sort());
});

test("a new queue is announced, whoever makes it", async () => {
  const listener = new pg.Client({ connectionString: database.url });
  await listener.connect();
  const heard: unknown[] = [];
  listener.on("notification", ({ payload }) => heard.push(JSON.parse(payload ?? "null")));
  try {
    await listener.query("listen pgmq_queue_created");
    await database.pool.query("select pgmq.create('worker_news_queue')");
    await database.pool.query("select pgmq.create('worker_news_queue')");
    await database.pool.query("select pgmq.create('plain')");
    await waitFor(() => heard.length === 2);
    expect(heard).toEqual([
      {
        event_type: "queue_created",
        queue_name: "worker_news_queue",
        namespace: "news",
        created_at: expect.stringMatching(/^\d{4}-/),
      },
      expect.objectContaining({ queue_name: "plain", namespace: "default" }),
    ]);
  } finally {
    await listener.end();
  }
});
