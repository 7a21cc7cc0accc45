import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config, Environment } from "../config/index.js";
import { ConfigError, PeerError } from "../errors/index.js";
import type { BridgeLanguage } from "./language-pools.js";

/** Where each language's handlers are: files and folders, absolute. A language without any is not run. */
export interface HandlerPaths {
  readonly typescript: readonly string[];
  readonly python: readonly string[];
  readonly ruby: readonly string[];
}

export interface HandlerPathsOptions {
  readonly config: Config;
  readonly env: Environment;
  readonly workingDirectory: string;
  /** What a command line says; replaces configuration and variables of the languages it names. */
  readonly given?: Partial<HandlerPaths>;
}

const LANGUAGES = ["typescript", "python", "ruby"] as const;

/**
 * The handler paths in force: given ones, else `worker.<language>.handlers`, else `<LANGUAGE>_HANDLER_PATH`.
 * @throws ConfigError HANDLER_PATH_NOT_FOUND naming the path and where it was written
 */
export function handlerPaths(options: HandlerPathsOptions): HandlerPaths {
  const { config, env, workingDirectory, given = {} } = options;
  const pathsOf = (language: (typeof LANGUAGES)[number]): string[] => {
    const variable = `${language.toUpperCase()}_HANDLER_PATH`;
    const sources: readonly (readonly [string, readonly string[]])[] = [
      ["the command line", given[language] ?? []],
      [`worker.${language}.handlers`, config.worker[language].handlers],
      [variable, (env[variable] ?? "").split(delimiter).filter((path) => path !== "")],
    ];
    const [source, paths] = sources.find(([, paths]) => paths.length > 0) ?? ["", []];
    return paths.map((path) => existing(resolve(workingDirectory, path), language, source));
  };
  return { typescript: pathsOf("typescript"), python: pathsOf("python"), ruby: pathsOf("ruby") };
}

export interface BridgeLanguagesOptions {
  readonly config: Config;
  readonly paths: Pick<HandlerPaths, "python" | "ruby">;
  readonly env: Environment;
  /** Where the handler processes run. */
  readonly workingDirectory: string;
  readonly signal?: AbortSignal;
}

/**
 * How to start the handler processes of every language that has handlers. The interpreter is asked whether it has the
 * bridge package; one that has not is shown the package of this checkout.
 *
 * @throws PeerError INTERPRETER_NOT_FOUND, BRIDGE_PACKAGE_NOT_FOUND saying what to install or configure
 */
export async function bridgeLanguages(options: BridgeLanguagesOptions): Promise<BridgeLanguage[]> {
  const found: Promise<BridgeLanguage>[] = [];
  if (options.paths.python.length > 0) found.push(python(options));
  if (options.paths.ruby.length > 0) found.push(ruby(options));
  return await Promise.all(found);
}

const PYTHON_PROBE = `
import importlib.util, os, sys
spec = importlib.util.find_spec("tasker_core")
places = (spec.submodule_search_locations or ()) if spec else ()
found = any(os.path.exists(os.path.join(place, "bridge.py")) for place in places)
print("%d.%d" % sys.version_info[:2], "installed" if found else "", sep="\\n")
`;

async function python(options: BridgeLanguagesOptions): Promise<BridgeLanguage> {
  const settings = options.config.worker.python;
  const [version = "", installed = ""] = await probe("python", settings.command, options, [
    "-c",
    PYTHON_PROBE,
  ]);
  assertVersion("Python", version, [3, 10], settings.command);
  const checkout = installed === "" ? inCheckout("python-bridge/src", "tasker_core/bridge.py") : "";
  if (checkout === null) {
    throw packageMissing("python", settings.command, "pip install tasker-bridge");
  }
  const path = [checkout, options.env["PYTHONPATH"] ?? ""].filter((part) => part !== "");
  const env = path.length === 0 ? {} : { PYTHONPATH: path.join(delimiter) };
  return language("python", options, ["-m", "tasker_core.bridge"], env);
}

const RUBY_PROBE = `
spec = Gem::Specification.find_all_by_name("tasker-bridge").first
print RUBY_VERSION, "\\n", spec && File.join(spec.full_gem_path, spec.bindir, "tasker-bridge")
`;

async function ruby(options: BridgeLanguagesOptions): Promise<BridgeLanguage> {
  const settings = options.config.worker.ruby;
  const [version = "", program = ""] = await probe("ruby", settings.command, options, [
    "-e",
    RUBY_PROBE,
  ]);
  assertVersion("Ruby", version, [3, 1], settings.command);
  if (program !== "") return language("ruby", options, [program], {});
  const checkout = inCheckout("ruby-bridge", "exe/tasker-bridge");
  if (checkout === null) {
    throw packageMissing("ruby", settings.command, "gem install tasker-bridge");
  }
  const args = ["-I", join(checkout, "lib"), join(checkout, "exe", "tasker-bridge")];
  return language("ruby", options, args, {});
}

function language(
  name: "python" | "ruby",
  options: BridgeLanguagesOptions,
  program: readonly string[],
  env: Readonly<Record<string, string>>,
): BridgeLanguage {
  const { command, processes, slots } = options.config.worker[name];
  const [executable = name, ...before] = command;
  const handlers = options.paths[name].flatMap((path) => ["--handlers", path]);
  return {
    language: name,
    command: executable,
    args: [...before, ...program, ...handlers, "--slots", String(slots), "--pool", name],
    cwd: options.workingDirectory,
    env: { ...dotEnv(options.env), ...env },
    processes,
    slots,
  };
}

/** Variables that only `.env` sets: handler processes inherit the others. */
function dotEnv(env: Environment): Record<string, string> {
  const added = Object.entries(env).filter(([name]) => process.env[name] === undefined);
  return Object.fromEntries(added.map(([name, value]) => [name, value ?? ""]));
}

const PROBE_TIMEOUT_MS = 15_000;

/** Lines of the interpreter's answer. */
async function probe(
  name: "python" | "ruby",
  command: readonly string[],
  options: BridgeLanguagesOptions,
  args: readonly string[],
): Promise<string[]> {
  const [executable = name, ...before] = command;
  return await new Promise((settle, reject) => {
    execFile(
      executable,
      [...before, ...args],
      {
        cwd: options.workingDirectory,
        env: { ...process.env, ...options.env },
        timeout: PROBE_TIMEOUT_MS,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (error, stdout, stderr) => {
        if (error === null) settle(stdout.split("\n").map((line) => line.trim()));
        else reject(unusable(name, command, error, stderr));
      },
    );
  });
}

function unusable(name: string, command: readonly string[], cause: Error, stderr: string): Error {
  if (cause.name === "AbortError") return cause;
  const words = command.join(" ");
  const why =
    "code" in cause && cause.code === "ENOENT"
      ? `there is no program \`${command[0]}\``
      : stderr.trim().split("\n").at(-1) || cause.message;
  return new PeerError(
    "INTERPRETER_NOT_FOUND",
    `\`${words}\`, which runs the ${name} handlers, cannot be used: ${why}. Install it, or name another one: [worker.${name}] command = ["..."]`,
    { cause, context: { language: name, command: words } },
  );
}

function assertVersion(
  name: string,
  version: string,
  [major, minor]: readonly [number, number],
  command: readonly string[],
): void {
  const [a = 0, b = 0] = version.split(".").map(Number);
  if (a > major || (a === major && b >= minor)) return;
  const key = name.toLowerCase();
  throw new PeerError(
    "INTERPRETER_NOT_FOUND",
    `\`${command.join(" ")}\` is ${name} ${version || "of an unknown version"}; handlers need ${major}.${minor} or later. Name another one: [worker.${key}] command = ["..."]`,
    { context: { language: key, version } },
  );
}

function packageMissing(name: string, command: readonly string[], install: string): PeerError {
  return new PeerError(
    "BRIDGE_PACKAGE_NOT_FOUND",
    `\`${command.join(" ")}\` has no package tasker-bridge, which ${name} handlers need. Install it: ${install}`,
    { context: { language: name } },
  );
}

function existing(path: string, language: string, source: string): string {
  if (existsSync(path)) return path;
  throw new ConfigError(
    "HANDLER_PATH_NOT_FOUND",
    `The ${language} handler path ${path} (from ${source}) does not exist`,
    { context: { file: path } },
  );
}

/** A folder of the repository this code runs from, or null when it was installed as a package. */
function inCheckout(folder: string, marker: string): string | null {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    if (existsSync(join(directory, folder, marker))) return join(directory, folder);
    const parent = dirname(directory);
    if (parent === directory) return null;
    directory = parent;
  }
}
