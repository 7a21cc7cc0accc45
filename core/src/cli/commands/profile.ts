import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { writeToml } from "../../config/index.js";
import { isTable, type PlainTable } from "../../lib/deep-merge.js";
import { Secret } from "../../lib/secret.js";
import { CliError } from "../cli-error.js";
import { objectOf, shown } from "../client/api.js";
import { loadClientConfig, profileFiles, readProfiles } from "../client/client-config.js";
import { RestApi } from "../client/rest-api.js";
import type { CommandContext } from "../command-context.js";
import { describeError } from "../describe-error.js";
import { EXIT } from "../exit-codes.js";
import { renderTable } from "../render/table.js";
import { writeOutput } from "../write-file.js";

const FIRST = `# Servers that tasker-ctl knows by name: tasker-ctl --profile <name>, or TASKER_CLIENT_PROFILE.
# The profile \`default\` is the base of all others.

[profile.default]
description = "This machine"
transport = "rest"

[profile.default.orchestration]
base_url = "http://localhost:8080"

[profile.default.worker]
base_url = "http://localhost:8081"
`;

/** `tasker profile init` */
export async function profileInit(
  context: CommandContext,
  { force = false }: { readonly force?: boolean },
): Promise<number> {
  const { output, workingDirectory } = context;
  const file = ".config/tasker.toml";
  writeOutput(workingDirectory, file, FIRST, { overwrite: force });
  output.print(`Wrote ${file}`);
  output.json({ file });
  return EXIT.ok;
}

/** `tasker profile list` */
export async function profileList(context: CommandContext): Promise<number> {
  const { output } = context;
  const { file, profiles } = profilesOf(context);
  const rows = Object.entries(profiles).map(([name, value]) => {
    const table = isTable(value) ? value : {};
    const url = isTable(table["orchestration"]) ? table["orchestration"]["base_url"] : undefined;
    return { name, url: url ?? null, description: table["description"] ?? null };
  });
  output.json({ file, profiles: rows });
  if (rows.length === 0)
    output.print("There are no profiles: `tasker profile init` writes a file.");
  else {
    const cells = rows.map(({ name, url, description }) => [
      name,
      shown(url as string),
      shown(description as string),
    ]);
    output.print(renderTable([["PROFILE", "ORCHESTRATION", "DESCRIPTION"], ...cells]).join("\n"));
  }
  return EXIT.ok;
}

export interface ProfileAddOptions {
  readonly description?: string;
  readonly transport: string;
  readonly orchestrationUrl?: string;
  readonly workerUrl?: string;
  readonly tools?: string;
}

/** `tasker profile add <name>`: appended, so that what is in the file stays as it was written. */
export async function profileAdd(
  context: CommandContext,
  options: ProfileAddOptions,
  [name = ""]: readonly string[],
): Promise<number> {
  const { output, workingDirectory, env } = context;
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    throw usage(`\`${name}\` is no profile name: letters, digits, _ and -`);
  }
  const { file, profiles } = profilesOf(context);
  if (Object.hasOwn(profiles, name))
    throw usage(`the profile \`${name}\` is there already, in ${file}`);
  const path = file ?? profileFiles(env, workingDirectory)[0] ?? ".config/tasker.toml";
  const before = existsSync(path) ? `${readFileSync(path, "utf8").trimEnd()}\n\n` : "";
  const { description, transport, orchestrationUrl, workerUrl, tools } = options;
  const table: PlainTable = {
    ...(description === undefined ? {} : { description }),
    transport,
    ...(tools === undefined ? {} : { tools: tools.split(",").map((tool) => tool.trim()) }),
    ...(orchestrationUrl === undefined ? {} : { orchestration: { base_url: orchestrationUrl } }),
    ...(workerUrl === undefined ? {} : { worker: { base_url: workerUrl } }),
  };
  writeOutput(workingDirectory, path, before + writeToml({ profile: { [name]: table } }));
  output.print(`Added profile ${name} to ${relative(workingDirectory, path)}`);
  output.json({ file: path, name });
  return EXIT.ok;
}

/** `tasker profile validate`: exit code 1 when one cannot be used. */
export async function profileValidate(context: CommandContext): Promise<number> {
  const { output } = context;
  const { profiles } = profilesOf(context);
  const found = Object.keys(profiles).map((name) => {
    try {
      loadProfile(context, name);
      return { name, problem: null };
    } catch (error) {
      return { name, problem: describeError(error).message };
    }
  });
  for (const { name, problem } of found) output.print(`${name}: ${problem ?? "valid"}`);
  if (found.length === 0) output.print("There are no profiles.");
  const isValid = found.every(({ problem }) => problem === null);
  output.json({ valid: isValid, profiles: found });
  return isValid ? EXIT.ok : EXIT.failed;
}

/** `tasker profile show <name>` */
export async function profileShow(
  context: CommandContext,
  _options: object,
  [name = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const config = redacted(loadProfile(context, name)) as PlainTable;
  output.print(writeToml(config).trimEnd());
  output.json({ name, config });
  return EXIT.ok;
}

/** `tasker profile check [name]` */
export async function profileCheck(
  context: CommandContext,
  { all = false }: { readonly all?: boolean },
  [name = "default"]: readonly string[],
): Promise<number> {
  const { output } = context;
  const names = all ? Object.keys(profilesOf(context).profiles) : [name];
  const found: { name: string; url: string; status: string }[] = [];
  for (const profile of names) {
    const { orchestration, worker } = loadProfile(context, profile);
    for (const endpoint of [orchestration, worker]) {
      const api = new RestApi({ ...endpoint, max_retries: 0 });
      const answer = await api
        .call("GET", "/health", { intent: "ask the server" })
        .then((body) => shown(objectOf(body)["status"]))
        .catch((error: unknown) => describeError(error).message);
      found.push({ name: profile, url: api.place, status: answer });
    }
  }
  for (const { name: profile, url, status } of found) output.print(`${profile}  ${url}  ${status}`);
  output.json({ servers: found });
  return found.every(({ status }) => status === "healthy") ? EXIT.ok : EXIT.failed;
}

function profilesOf({ env, workingDirectory, global, isCtl }: CommandContext) {
  return readProfiles({ env, workingDirectory, file: isCtl ? global.config : undefined });
}

function loadProfile({ env, workingDirectory, global, isCtl }: CommandContext, profile: string) {
  const file = isCtl ? global.config : undefined;
  return loadClientConfig({ env, workingDirectory, file, profile }).config;
}

function redacted(value: unknown): unknown {
  if (value instanceof Secret) return value.toString();
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, redacted(member)]));
}

function usage(message: string): CliError {
  return new CliError("USAGE", EXIT.usage, message);
}
