import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

/** One figure, measured several times in one run. */
export interface Figure {
  /** Stable: other tools read it. */
  readonly id: string;
  readonly unit: string;
  readonly values: readonly number[];
  /** What the figure has to hold, if anything. */
  readonly target?: { readonly op: "<=" | ">="; readonly value: number };
}

export interface FigureRow {
  readonly id: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly target: string | null;
  readonly pass: boolean | null;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

export function rowOf({ id, unit, values, target }: Figure): FigureRow {
  const mid = round(median(values));
  return {
    id,
    unit,
    median: mid,
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    target: target === undefined ? null : `${target.op} ${target.value}`,
    pass:
      target === undefined ? null : target.op === "<=" ? mid <= target.value : mid >= target.value,
  };
}

export function printTable(rows: readonly FigureRow[]): void {
  const header = ["figure", "median", "min", "max", "unit", "target", ""];
  const lines = rows.map((row) => [
    row.id,
    String(row.median),
    String(row.min),
    String(row.max),
    row.unit,
    row.target ?? "",
    row.pass === null ? "" : row.pass ? "ok" : "MISSED",
  ]);
  const widths = header.map((_, i) =>
    Math.max(...[header, ...lines].map((line) => line[i]?.length ?? 0)),
  );
  for (const line of [header, ...lines]) {
    console.log(
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  "),
    );
  }
}

export function writeJson(path: string, rows: readonly FigureRow[]): void {
  writeFileSync(path, `${JSON.stringify(rows, null, 2)}\n`);
}

/** What the figures were measured on: they mean little without it. */
export function machine(postgresVersion: string): string {
  const [cpu] = cpus();
  return `${cpus().length} cores (${cpu?.model.trim() ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, Postgres ${postgresVersion}, fsync on`;
}

function round(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}
