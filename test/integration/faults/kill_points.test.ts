import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineRole } from "../../../core/src/bootstrap.js";
import { type Bundle, bundleProgram } from "../../support/bundle.js";
import { type KillRow, Lane, LEASE_SECONDS, type Successor } from "./support/lane.js";
import { KILL_POINTS } from "./support/points.js";

/**
 * kill -9 of a host at every point of a step's life: the task ends with the right values, every result is accepted once,
 * nothing runs before the lease of the dead has ended, and everything is done at most two seconds later.
 */
const ROLES: readonly EngineRole[] = ["server", "worker", "all"];
const SUCCESSORS: readonly Successor[] = ["survivor", "restart"];
const rows: KillRow[] = [];
let program: Bundle;

beforeAll(async () => {
  program = await bundleProgram(
    fileURLToPath(new URL("./support/host-process.ts", import.meta.url)),
  );
});
afterAll(async () => {
  await program.remove();
  print(rows);
});

describe.concurrent("killed at every point, the work is done all the same", () => {
  for (const role of ROLES) {
    for (const successor of SUCCESSORS) {
      test(`${role}, then a ${successor}`, { timeout: 180_000 }, async () => {
        const own = await new Lane(program.path, role, successor).run(KILL_POINTS[role]);
        rows.push(...own);
        expect(own.filter(({ verdict }) => verdict !== "right")).toEqual([]);
        expect(own).toHaveLength(KILL_POINTS[role].length);
      });
    }
  }
});

/** The record: which process, killed where, who went on, how long it took. */
function print(table: readonly KillRow[]): void {
  const lines = table.map(({ role, point, successor, recoveredMs, repeated, verdict }) =>
    [
      role.padEnd(6),
      point.padEnd(31),
      successor.padEnd(8),
      String(recoveredMs).padStart(6),
      String(repeated).padStart(8),
      ` ${verdict.split("\n")[0]}`,
    ].join("  "),
  );
  const head = `role    killed                           then      done ms  run again  verdict (lease ${LEASE_SECONDS} s)`;
  // biome-ignore lint/suspicious/noConsole: the table is what this suite is asked for
  console.log([head, ...lines].join("\n"));
}
