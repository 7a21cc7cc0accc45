import type { Queryable } from "../db/index.js";

/** Calls a function that returns one JSON value; its text goes to the client as it is. Null for SQL null. */
export async function queryJson(
  db: Queryable,
  call: string,
  values: readonly unknown[],
): Promise<string | null> {
  const { rows } = await db.query<{ body: string | null }>(`select (${call})::text as body`, [
    ...values,
  ]);
  return rows[0]?.body ?? null;
}
