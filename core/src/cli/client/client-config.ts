import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type ConfigProblem, formatProblem, readTomlFile } from "../../config/index.js";
import { deepMerge, isTable, type PlainTable } from "../../lib/deep-merge.js";
import { nearestName } from "../../lib/nearest-name.js";
import { Secret } from "../../lib/secret.js";
import { CliError } from "../cli-error.js";
import { EXIT } from "../exit-codes.js";

type Env = Readonly<Record<string, string | undefined>>;

const secret = z.string({ error: "text" }).transform((value) => new Secret(value));
const method = z.discriminatedUnion("type", [
  z.object({ type: z.literal("BearerToken"), value: secret }),
  z.object({
    type: z.literal("ApiKey"),
    value: z.object({ key: secret, header_name: z.string().default("X-API-Key") }),
  }),
]);
const endpoint = (url: string) =>
  z
    .object({
      base_url: z
        .string({ error: "text" })
        .regex(/^https?:\/\//, { error: "an http(s) URL" })
        .default(url),
      timeout_ms: z
        .number({ error: "an integer from 100 to 300000" })
        .int()
        .min(100)
        .max(300_000)
        .default(30_000),
      max_retries: z.number({ error: "an integer from 0 to 10" }).int().min(0).max(10).default(3),
      auth_token: secret.optional(),
      auth: z.object({ method }).optional(),
    })
    .prefault({});
const schema = z.object({
  transport: z.enum(["rest", "grpc"], { error: "rest or grpc" }).default("rest"),
  orchestration: endpoint("http://localhost:8080"),
  worker: endpoint("http://localhost:8081"),
});

export type ClientConfig = z.output<typeof schema>;
export type ClientEndpoint = ClientConfig["orchestration"];

export interface ClientConfigOptions {
  readonly env: Env;
  readonly workingDirectory: string;
  /** One client file instead of the usual places. */
  readonly file?: string | undefined;
  /** A profile; default `TASKER_CLIENT_PROFILE`. */
  readonly profile?: string | undefined;
  /** Base URL of the orchestration server: wins over everything. */
  readonly server?: string | undefined;
}

export interface LoadedClientConfig {
  readonly config: ClientConfig;
  /** Null: built-in defaults. */
  readonly file: string | null;
  readonly profile: string | null;
}

/**
 * The client configuration of contract/cli.md section 1: a file or a profile, then variables, then `--server`.
 * @throws CliError CLIENT_CONFIG_INVALID with the file, the line and what was expected
 */
export function loadClientConfig(options: ClientConfigOptions): LoadedClientConfig {
  const { env, workingDirectory } = options;
  const profile = options.profile ?? nonEmpty(env["TASKER_CLIENT_PROFILE"]) ?? null;
  const read =
    profile === null
      ? fromFile(options, clientFiles(env, workingDirectory))
      : fromProfile(options, profile);
  const layers = [read.value, variables(env), server(options.server)];
  const merged = layers.reduce((below, layer) => deepMerge(below, layer), {});
  const parsed = schema.safeParse(merged);
  if (!parsed.success) throw invalid(read, parsed.error.issues, profile);
  if (parsed.data.transport === "grpc") {
    throw problem(
      read.file,
      'transport = "grpc" is not served: set transport = "rest", or unset TASKER_CLIENT_TRANSPORT',
    );
  }
  return { config: parsed.data, file: read.file, profile };
}

/** Where a client file is looked for without a profile, first one wins. */
function clientFiles(env: Env, workingDirectory: string): string[] {
  return [
    join(workingDirectory, "tasker-client.toml"),
    join(workingDirectory, "config", "tasker-client.toml"),
    join(homeOf(env), ".tasker", "config.toml"),
    join(userConfigDirectory(env), "tasker", "client.toml"),
  ];
}

/** Where profiles are looked for, first one wins. */
export function profileFiles(env: Env, workingDirectory: string): string[] {
  return [
    join(workingDirectory, ".config", "tasker.toml"),
    join(workingDirectory, ".config", "tasker-client.toml"),
    join(workingDirectory, "tasker-client.toml"),
    join(userConfigDirectory(env), "tasker", "client.toml"),
    join(homeOf(env), ".tasker", "client.toml"),
  ];
}

interface Read {
  readonly file: string | null;
  readonly value: PlainTable;
  readonly places: ReadonlyMap<string, { readonly line: number; readonly column: number }>;
  /** What stands before the keys in the file. */
  readonly prefix: string;
}

const NOTHING: Read = { file: null, value: {}, places: new Map(), prefix: "" };

function fromFile(
  { file, workingDirectory }: ClientConfigOptions,
  places: readonly string[],
): Read {
  if (file !== undefined) {
    const path = resolve(workingDirectory, file);
    if (!existsSync(path)) throw problem(path, "there is no such file; it is named by --config");
    return readClientFile(path);
  }
  const found = places.find((path) => existsSync(path));
  return found === undefined ? NOTHING : readClientFile(found);
}

function readClientFile(file: string): Read {
  const { value, places, errors } = readTomlFile(file, null);
  const [first] = errors;
  if (first !== undefined) throw problem(null, formatProblem(first));
  return { file, value, places, prefix: "" };
}

function fromProfile(options: ClientConfigOptions, name: string): Read {
  const { file, profiles, read } = readProfiles(options);
  const table = profiles[name];
  if (!isTable(table)) {
    const names = Object.keys(profiles);
    const near = nearestName(name, names);
    const known = names.length === 0 ? "there are none" : `there are ${names.join(", ")}`;
    const hint = near === null ? "" : ` (did you mean \`${near}\`?)`;
    throw problem(
      file,
      `there is no profile \`${name}\`${hint}: ${known}. Add it with \`tasker profile add ${name}\``,
    );
  }
  const base = isTable(profiles["default"]) ? profiles["default"] : {};
  return { file, value: deepMerge(base, table), places: read.places, prefix: `profile.${name}.` };
}

export interface Profiles {
  /** Null when no place has one. */
  readonly file: string | null;
  readonly profiles: PlainTable;
}

/** @throws CliError CLIENT_CONFIG_INVALID */
export function readProfiles(
  options: Pick<ClientConfigOptions, "env" | "workingDirectory" | "file">,
): Profiles & { readonly read: Read } {
  const { env, workingDirectory, file } = options;
  const read = fromFile({ env, workingDirectory, file }, profileFiles(env, workingDirectory));
  const profiles = isTable(read.value["profile"]) ? read.value["profile"] : {};
  return { file: read.file, profiles, read };
}

/** Each wins over files. */
function variables(env: Env): PlainTable {
  const token = (own: string): PlainTable => {
    const bearer = nonEmpty(env[own]) ?? nonEmpty(env["TASKER_AUTH_TOKEN"]);
    if (bearer !== null) return { auth: { method: { type: "BearerToken", value: bearer } } };
    const key = nonEmpty(env["TASKER_API_KEY"]);
    if (key === null) return {};
    const header = nonEmpty(env["TASKER_API_KEY_HEADER"]) ?? "X-API-Key";
    return { auth: { method: { type: "ApiKey", value: { key, header_name: header } } } };
  };
  const part = (name: "ORCHESTRATION" | "WORKER"): PlainTable => {
    const url = nonEmpty(env[`TASKER_${name}_URL`]);
    const timeout = nonEmpty(env[`TASKER_${name}_TIMEOUT_MS`]);
    return {
      ...(url === null ? {} : { base_url: url }),
      ...(timeout === null ? {} : { timeout_ms: Number(timeout) }),
      ...token(`TASKER_${name}_AUTH_TOKEN`),
    };
  };
  const transport =
    nonEmpty(env["TASKER_CLIENT_TRANSPORT"]) ?? nonEmpty(env["TASKER_TEST_TRANSPORT"]);
  return {
    ...(transport === null ? {} : { transport }),
    orchestration: part("ORCHESTRATION"),
    worker: part("WORKER"),
  };
}

function server(url: string | undefined): PlainTable {
  return url === undefined ? {} : { orchestration: { base_url: url } };
}

function invalid(
  read: Read,
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
  profile: string | null,
): CliError {
  const [issue] = issues;
  const path = (issue?.path ?? []).map(String).join(".");
  const place = read.places.get(`${read.prefix}${path}`);
  const found: ConfigProblem = {
    file: read.file,
    line: place?.line ?? null,
    column: place?.column ?? null,
    message: `expected \`${path}\` to be ${issue?.message ?? "something else"}`,
  };
  const source = place === undefined ? " (a TASKER_ variable, --server or the file)" : "";
  const where = profile === null ? "" : ` in profile ${profile}`;
  return problem(null, `${formatProblem(found)}${where}${source}`);
}

function problem(file: string | null, message: string): CliError {
  const place = file === null ? "" : `${file}: `;
  return new CliError(
    "CLIENT_CONFIG_INVALID",
    EXIT.usage,
    `The client configuration cannot be used: ${place}${message}`,
  );
}

export function homeOf(env: Env): string {
  return nonEmpty(env["HOME"]) ?? nonEmpty(env["USERPROFILE"]) ?? ".";
}

function userConfigDirectory(env: Env): string {
  return (
    nonEmpty(env["XDG_CONFIG_HOME"]) ?? nonEmpty(env["APPDATA"]) ?? join(homeOf(env), ".config")
  );
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}
