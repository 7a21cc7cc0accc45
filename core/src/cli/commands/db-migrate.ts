import { migrate } from "../../db/index.js";
import type { CommandContext } from "../command-context.js";
import { loadCommandConfig } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { describeDatabase, openDatabase } from "../open-database.js";

/** `tasker db migrate` */
export async function dbMigrate(context: CommandContext): Promise<number> {
  const { output } = context;
  const database = await openDatabase(context, loadCommandConfig(context), { create: true });
  try {
    const { applied, current } = await migrate({ url: database.url });
    for (const { name } of applied) output.print(`Applied ${name}`);
    output.print(`The schema is at version ${current} on ${describeDatabase(database)}`);
    output.json({ applied: applied.map(({ name }) => name), current });
    return EXIT.ok;
  } finally {
    await database.close();
  }
}
