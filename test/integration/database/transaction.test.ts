import { beforeEach, describe, expect, it } from "vitest";
import {
  isRetryableConflict,
  type Queryable,
  withTransaction,
} from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";

const database = useTestDatabase();

beforeEach(async () => {
  await database.pool.query(`
    drop table if exists accounts;
    create table accounts (id int primary key, balance int not null);
    insert into accounts values (1, 100), (2, 100)`);
});

const change = (transaction: Queryable, id: number, by: number) =>
  transaction.query("update accounts set balance = balance + $2 where id = $1", [id, by]);

async function balances(): Promise<unknown[]> {
  const { rows } = await database.pool.query("select balance from accounts order by id");
  return rows.map((row) => row["balance"]);
}

describe("withTransaction", () => {
  it("commits what the work did, and returns its result", async () => {
    const result = await withTransaction(database.pool, async (transaction) => {
      await change(transaction, 1, -10);
      await change(transaction, 2, 10);
      return "moved";
    });
    expect(result).toBe("moved");
    expect(await balances()).toEqual([90, 110]);
  });

  it("rolls back when the work throws, and does not repeat it", async () => {
    let runs = 0;
    const counts = { retries: 0 };
    const failing = withTransaction(
      database.pool,
      async (transaction) => {
        runs += 1;
        await change(transaction, 1, -10);
        throw new Error("no");
      },
      { counts },
    );
    await expect(failing).rejects.toThrow("no");
    expect(await balances()).toEqual([100, 100]);
    expect({ runs, ...counts }).toEqual({ runs: 1, retries: 0 });
  });

  it("repeats the victim of a deadlock until both are done", async () => {
    const counts = { retries: 0 };
    let arrived = 0;
    let meet: () => void = () => undefined;
    const bothHoldOne = new Promise<void>((resolve) => {
      meet = resolve;
    });
    const move = (from: number, to: number) =>
      withTransaction(
        database.pool,
        async (transaction) => {
          await change(transaction, from, -10);
          arrived += 1;
          if (arrived === 2) meet();
          await bothHoldOne;
          await change(transaction, to, 10);
        },
        { counts },
      );
    await Promise.all([move(1, 2), move(2, 1)]);
    expect(await balances()).toEqual([100, 100]);
    expect(counts.retries).toBe(1);
  });

  it("gives up after the last attempt with the error of the database", async () => {
    const counts = { retries: 0 };
    const conflicting = withTransaction(
      database.pool,
      (transaction) => transaction.query("do $$ begin raise serialization_failure; end $$"),
      { maxAttempts: 3, counts, random: () => 0 },
    );
    await expect(conflicting).rejects.toMatchObject({ code: "40001" });
    expect(counts.retries).toBe(2);
  });

  it("does not start when its signal has aborted", async () => {
    const signal = AbortSignal.abort(new Error("draining"));
    let ran = false;
    const work = async (): Promise<void> => {
      ran = true;
    };
    await expect(withTransaction(database.pool, work, { signal })).rejects.toThrow("draining");
    expect(ran).toBe(false);
  });
});

describe("isRetryableConflict", () => {
  it("knows the two codes after which a repeat is exact", () => {
    const withCode = (code: string) => Object.assign(new Error("x"), { code });
    expect(
      ["40P01", "40001", "23505", "57014"].map((code) => isRetryableConflict(withCode(code))),
    ).toEqual([true, true, false, false]);
    expect(isRetryableConflict(null)).toBe(false);
  });
});
