import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { nearestName } from "../lib/nearest-name.js";
import { CliError } from "./cli-error.js";
import { EXIT } from "./exit-codes.js";

/**
 * The folder of a configuration source tree.
 * @throws CliError CONFIG_SOURCE_NOT_FOUND when it has no `base`, or no such environment
 */
export function requireSources(
  workingDirectory: string,
  options: { readonly sourceDir: string; readonly environment: string },
): string {
  const directory = resolve(workingDirectory, options.sourceDir);
  if (!existsSync(join(directory, "base"))) {
    throw notFound(
      `${directory} has no folder \`base\`: name the source tree with --source-dir, or write one with \`tasker init\``,
    );
  }
  const environments = join(directory, "environments");
  const names = existsSync(environments) ? readdirSync(environments) : [];
  // Without overlays the base stands for every environment.
  if (names.length > 0 && !names.includes(options.environment)) {
    const near = nearestName(options.environment, names);
    const hint = near === null ? "" : ` (did you mean \`${near}\`?)`;
    throw notFound(
      `${environments} has no \`${options.environment}\`${hint}; there are ${names.join(", ")}`,
    );
  }
  return directory;
}

function notFound(message: string): CliError {
  return new CliError(
    "CONFIG_SOURCE_NOT_FOUND",
    EXIT.usage,
    `The configuration sources: ${message}`,
  );
}
