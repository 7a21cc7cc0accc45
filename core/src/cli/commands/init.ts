import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { nearestName } from "../../lib/nearest-name.js";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { LANGUAGES, type Language, projectFiles } from "../scaffold/project-files.js";
import { packageVersion } from "../version.js";
import { writeOutput } from "../write-file.js";

export interface InitOptions {
  readonly languages: string;
  readonly force?: boolean;
  readonly install?: boolean;
  /** What npm is asked for instead of this version: a file, a tag. */
  readonly core?: string;
  readonly sdk?: string;
}

/** `tasker init [folder]`: a project that runs. */
export async function init(
  context: CommandContext,
  options: InitOptions,
  [folder = "."]: readonly string[],
): Promise<number> {
  const { output, workingDirectory } = context;
  const directory = resolve(workingDirectory, folder);
  const version = `^${packageVersion()}`;
  const files = projectFiles({
    name: nameOf(directory),
    languages: languagesOf(options.languages),
    dependencies: {
      "@tasker-core/core": options.core ?? version,
      "@tasker-core/sdk": options.sdk ?? version,
      tsx: "^4.23.15",
    },
  });
  assertFree(directory, Object.keys(files), options.force === true);
  for (const [path, text] of Object.entries(files)) {
    writeOutput(directory, path, text);
    output.print(`  ${relative(workingDirectory, join(directory, path))}`);
  }
  const isInstalled = options.install !== false && (await install(context, directory));
  output.print("Project written successfully!");
  const steps = [
    ...(folder === "." ? [] : [`cd ${folder}`]),
    ...(isInstalled ? [] : ["npm install"]),
    "npx tasker dev",
  ];
  output.print(`Now: ${steps.join(" && ")}`);
  output.json({ directory, files: Object.keys(files), installed: isInstalled });
  return EXIT.ok;
}

function languagesOf(text: string): Language[] {
  const names = text.split(",").map((name) => name.trim().toLowerCase());
  const unknown = names.find((name) => !LANGUAGES.includes(name as Language));
  if (unknown === undefined) return LANGUAGES.filter((language) => names.includes(language));
  const near = nearestName(unknown, LANGUAGES);
  const hint = near === null ? "" : ` (did you mean \`${near}\`?)`;
  const message = `--languages: \`${unknown}\` is none of ${LANGUAGES.join(", ")}${hint}`;
  throw new CliError("USAGE", EXIT.usage, message);
}

/** As npm wants it. */
function nameOf(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-");
  return name.replace(/^-+|-+$/g, "") || "tasker-project";
}

/** Nothing is written when anything is in the way. */
function assertFree(directory: string, paths: readonly string[], isForced: boolean): void {
  const taken = paths.filter((path) => existsSync(join(directory, path)));
  if (isForced || taken.length === 0) return;
  const message = `${directory} has ${taken.join(", ")} already: choose another folder, or add --force`;
  throw new CliError("OUTPUT_EXISTS", EXIT.usage, message, { files: taken });
}

/** False when npm could not: the project is complete without, and says what to do. */
async function install({ output, env }: CommandContext, directory: string): Promise<boolean> {
  output.note("Installing packages (npm install) …");
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const child = spawn("npm", args, { cwd: directory, env, stdio: [...stdio] });
  let said = "";
  child.stdout?.resume();
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  const code = await new Promise<number | null>((settle) => {
    child.once("error", () => settle(null));
    child.once("close", settle);
  });
  if (code !== 0) output.note(`npm install did not work (exit ${code}): ${said.trim()}`);
  return code === 0;
}
