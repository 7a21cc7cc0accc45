import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf } from "../errors/index.js";
import { CliError } from "./cli-error.js";
import { EXIT } from "./exit-codes.js";

/**
 * Writes a file and the folders above it.
 * @throws CliError OUTPUT_NOT_WRITTEN, OUTPUT_EXISTS where `overwrite` is false
 */
export function writeOutput(
  workingDirectory: string,
  path: string,
  text: string,
  { overwrite = true }: { readonly overwrite?: boolean } = {},
): void {
  const file = resolve(workingDirectory, path);
  if (!overwrite && existsSync(file)) {
    const message = `The file ${file} is there already: remove it, or add --force`;
    throw new CliError("OUTPUT_EXISTS", EXIT.usage, message, { file });
  }
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    const message = `The file ${file} cannot be written: ${messageOf(error)}`;
    throw new CliError("OUTPUT_NOT_WRITTEN", EXIT.usage, message, { file });
  }
}
