import { expect, test } from "vitest";
import { readRules } from "../../conformance/rules/load.js";
import { backoffMs } from "../../conformance/rules/reference.js";
import { useTestDatabase } from "../../support/test-database.js";
import { SqlHost } from "../support/sql-host.js";

/** Delays before a retry: the table in backoff.json against SQL and against the formula in TypeScript. */
const database = useTestDatabase();

type Delay = [kind: string, base: number, cap: number, multiplier: number, attempts: number];
const rules = readRules<{
  delays: [...Delay, ms: number][];
  hints: [...Delay, jitter: number, hint: number, ms: number][];
  seconds: [attempts: number | null, seconds: number][];
  next_retry: [number | null, string | null, string | null, number | null, string | null][];
  jitter: number[];
}>("backoff");

async function value<T>(text: string, values: readonly unknown[]): Promise<T> {
  const { rows } = await database.pool.query<{ value: T }>(`select ${text} as value`, values);
  return rows[0]?.value as T;
}

test.each(rules.delays)(
  "%s, base %i, cap %i, multiplier %d: after %i attempts %i ms",
  async (...row) => {
    const [kind, base, cap, multiplier, attempts, ms] = row;
    expect(backoffMs(kind, base, cap, multiplier, attempts)).toBe(ms);
    const sql = await value<bigint>("tasker_core.backoff_ms($1, $2, $3, $4, $5)", [
      kind,
      base,
      cap,
      multiplier,
      attempts,
    ]);
    expect(sql).toBe(BigInt(ms));
  },
);

test("the two agree for every strategy, cap and number of attempts", async () => {
  const { rows } = await database.pool.query<Record<string, string | number>>(
    `select k::text as kind, b as base, c as cap, m::float8 as multiplier, n as attempts,
       tasker_core.backoff_ms(k, b, c, m, n)::float8 as ms
     from unnest(enum_range(null::tasker_core.backoff_kind)) k, unnest('{0,1,250,1000}'::integer[]) b,
       unnest('{1,1000,30000,3600000}'::integer[]) c, unnest('{1,1.5,2,10}'::float8[]) m, generate_series(1, 40) n`,
  );
  expect(rows).toHaveLength(4 * 4 * 4 * 4 * 40);
  const apart = rows.filter(
    (row) =>
      backoffMs(
        String(row["kind"]),
        Number(row["base"]),
        Number(row["cap"]),
        Number(row["multiplier"]),
        Number(row["attempts"]),
      ) !== Number(row["ms"]),
  );
  expect(apart).toEqual([]);
});

async function templateStep([kind, base, cap, multiplier]: Delay, jitter: number): Promise<string> {
  const host = await new SqlHost(database.pool).register([[]], {
    steps: {
      0: {
        backoff: kind,
        backoff_base_ms: base,
        backoff_cap_ms: cap,
        backoff_multiplier: multiplier,
        backoff_jitter: jitter,
      },
    },
  });
  return (BigInt(host.templateId) << 20n).toString();
}

test.each(rules.jitter)(
  "a jitter of %d moves a delay by that share both ways, after the cap",
  async (jitter) => {
    for (const row of [
      ["exponential", 1000, 30_000, 2, 3],
      ["linear", 1000, 4_000, 2, 9],
    ] satisfies Delay[]) {
      const delay = backoffMs(...row);
      const { rows } = await database.pool.query<{ least: number; most: number; kinds: bigint }>(
        `select min(ms) as least, max(ms) as most, count(distinct ms) as kinds
       from (select tasker_core._retry_delay_ms($1, $2, null) as ms from generate_series(1, 400)) x`,
        [await templateStep(row, jitter), row[4]],
      );
      const { least, most, kinds } = rows[0] as { least: number; most: number; kinds: bigint };
      expect(least).toBeGreaterThanOrEqual(Math.floor(delay * (1 - jitter)));
      expect(most).toBeLessThanOrEqual(Math.ceil(delay * (1 + jitter)));
      // 400 draws leave neither half of the range empty.
      expect(least).toBeLessThanOrEqual(delay * (1 - jitter / 2));
      expect(most).toBeGreaterThanOrEqual(delay * (1 + jitter / 2));
      expect(Number(kinds) > 1).toBe(jitter > 0);
    }
  },
);

test.each(rules.hints)(
  "%s, base %i, cap %i, multiplier %d, attempt %i, jitter %d: a hint of %i ms gives %i",
  async (...row) => {
    const [kind, base, cap, multiplier, attempts, jitter, hint, ms] = row;
    const id = await templateStep([kind, base, cap, multiplier, attempts], jitter);
    expect(await value("tasker_core._retry_delay_ms($1, $2, $3)", [id, attempts, hint])).toBe(ms);
  },
);

test.each(rules.seconds)("calculate_backoff_delay(%s) is %i s", async (attempts, seconds) => {
  expect(await value("tasker.calculate_backoff_delay($1)", [attempts])).toBe(seconds);
});

test.each(rules.next_retry)(
  "asked %s s at %s, failed at %s, %s attempts: next at %s",
  async (asked, attemptedAt, failedAt, attempts, next) => {
    const values = [asked, attemptedAt, failedAt, attempts];
    expect(await value("tasker.calculate_step_next_retry_time($1, $2, $3, $4)::text", values)).toBe(
      next,
    );
  },
);
