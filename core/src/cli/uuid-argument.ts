import { CliError } from "./cli-error.js";
import { EXIT } from "./exit-codes.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** @throws CliError USAGE */
export function taskArgument(text: string): string {
  if (isUuid(text)) return text;
  throw new CliError("USAGE", EXIT.usage, `\`${text}\` is not a task id: expected a UUID`);
}
