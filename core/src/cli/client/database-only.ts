import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { usesServer } from "./open-api.js";

/** @throws CliError SERVER_CANNOT when the command line asks a server for what no route offers */
export function databaseOnly(context: CommandContext, command: string): void {
  if (!usesServer(context)) return;
  const message = `\`${command}\` reads the database: no route of the API offers it. Run it as \`tasker ${command}\` where DATABASE_URL names the database, without --server, --profile and TASKER_ORCHESTRATION_URL`;
  throw new CliError("SERVER_CANNOT", EXIT.usage, message);
}
