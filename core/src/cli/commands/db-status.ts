import { type MigrationStatus, migrationStatus } from "../../db/index.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { withPool } from "../with-pool.js";

/** `tasker db status`: exit code 1 when this version of Tasker cannot run on the schema as it is. */
export async function dbStatus(context: CommandContext): Promise<number> {
  const { output } = context;
  const status = await withPool(context, { needsSchema: false }, (pool) => migrationStatus(pool));
  const isUsable =
    status.pending.length === 0 &&
    status.mismatched.length === 0 &&
    status.unknown.every(({ breaking }) => breaking === null);
  for (const line of describe(status)) output.print(line);
  output.json({
    current: status.current,
    latest: status.latest,
    usable: isUsable,
    pending: status.pending.map(({ name }) => name),
    unknown: status.unknown.map(({ name, breaking }) => ({ name, breaking })),
    mismatched: status.mismatched.map(({ name }) => name),
  });
  return isUsable ? EXIT.ok : EXIT.failed;
}

function describe({ current, latest, pending, unknown, mismatched }: MigrationStatus): string[] {
  return [
    `The schema is at version ${current}; this version of Tasker knows ${latest}`,
    ...pending.map(({ name }) => `  missing   ${name}`),
    ...unknown.map(({ name, breaking }) =>
      breaking === null
        ? `  newer     ${name}`
        : `  newer     ${name} (breaks this version: ${breaking})`,
    ),
    ...mismatched.map(({ name }) => `  different ${name}: another text was applied`),
    ...(pending.length > 0 ? ["Run `tasker db migrate`"] : []),
  ];
}
