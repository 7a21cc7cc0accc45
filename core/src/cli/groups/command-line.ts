import { type Command, InvalidArgumentError, Option } from "commander";
import type { LogLevel } from "../../observability/index.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";

// Written out: the logger's own list would load the logger.
const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "silent"];

/** A command: prints its answer and returns the exit code, or throws. */
export type CommandFunction<Options> = (
  context: CommandContext,
  options: Options,
  args: readonly string[],
) => Promise<number>;

/** Binds a command's module, which is imported when the command is run: `--help` is answered without the engine. */
export type Bind = <Options>(
  load: () => Promise<CommandFunction<Options>>,
) => (...given: unknown[]) => Promise<void>;

/** Options that every command has, before or after its name. Letters that a command has for itself are its own. */
export function withGlobals(command: Command): Command {
  const taken = new Set(command.options.flatMap(({ short, long }) => [short, long]));
  const letter = (short: string): string => (taken.has(short) ? "" : `${short}, `);
  const options = [
    new Option(
      `${letter("-c")}--config <file>`,
      "configuration (TOML); default: TASKER_CONFIG_PATH, config/tasker. For tasker-ctl: a client file",
    ),
    new Option("--json", "the answer as JSON on stdout, and nothing else there"),
    new Option("--log-level <level>", "what is logged on stderr").choices(LOG_LEVELS),
    new Option("--server <url>", "speak to this orchestration server instead of the database"),
    new Option(`${letter("-p")}--profile <name>`, "speak to the server of this client profile"),
    new Option("--format <format>", "table or json").choices(["table", "json"]),
    new Option(`${letter("-v")}--verbose`, "log more; may be repeated: -vv, -vvv, -vvvv").argParser(
      (_value, earlier: number | undefined) => (earlier ?? 0) + 1,
    ),
  ];
  for (const option of options) {
    if (!taken.has(option.long ?? "")) command.addOption(option);
  }
  return command;
}

/** Global options of a command line, with `-v`s as a level. */
export function globalsOf(options: GlobalOptions & { readonly verbose?: number }): GlobalOptions {
  const { verbose, logLevel } = options;
  if (logLevel !== undefined || verbose === undefined) return options;
  const levels = ["warn", "info", "debug", "trace"] as const;
  return { ...options, logLevel: levels[Math.min(verbose, levels.length) - 1] ?? "trace" };
}

export function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

export function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0) || value > 1_000_000) {
    throw new InvalidArgumentError("Expected a number of seconds above 0.");
  }
  return value;
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function group(program: Command, name: string, description: string): Command {
  return program.command(name).description(description);
}
