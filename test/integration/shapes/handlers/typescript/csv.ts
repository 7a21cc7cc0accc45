import { readFile } from "node:fs/promises";

export interface Row {
  readonly id: number;
  readonly amount: number;
}

export async function readRows(path: string): Promise<Row[]> {
  const [, ...lines] = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const [id, amount] = line.split(",").map(Number);
    return { id: id ?? 0, amount: amount ?? 0 };
  });
}

export function addUp(parts: readonly { ids?: number[]; amount?: number }[]) {
  return {
    rows: parts.reduce((rows, { ids = [] }) => rows + ids.length, 0),
    amount: parts.reduce((sum, { amount = 0 }) => sum + amount, 0),
  };
}

export interface Tally {
  readonly ids: readonly number[];
  readonly amount: number;
}

export function counting(before: Tally, rows: readonly Row[]): Tally {
  return {
    ids: [...before.ids, ...rows.map(({ id }) => id)],
    amount: rows.reduce((sum, { amount }) => sum + amount, before.amount),
  };
}
