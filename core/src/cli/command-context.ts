import { type LoadedConfig, loadConfig } from "../config/index.js";
import { createLogger, type Logger, type LogLevel } from "../observability/index.js";
import type { Output } from "./output.js";

/** Options that every command has. */
export interface GlobalOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly logLevel?: LogLevel;
  /** Base URL of an orchestration server. */
  readonly server?: string;
  /** A client profile. */
  readonly profile?: string;
}

/** What a command gets from the program around it. */
export interface CommandContext {
  readonly global: GlobalOptions;
  readonly output: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** Raw stderr, for logs; a live view puts itself in between. */
  readonly writeLog: (line: string) => void;
  readonly isStderrTty: boolean;
  /** Called as `tasker-ctl`: a client of servers, whose `--config` is a client file. */
  readonly isCtl: boolean;
}

/** @throws ConfigError CONFIG_INVALID; warnings go to stderr */
export function loadCommandConfig(context: CommandContext): LoadedConfig {
  const { global, env, workingDirectory, output } = context;
  const loaded = loadConfig({
    ...(global.config === undefined ? {} : { path: global.config }),
    env,
    workingDirectory,
    overrides: global.logLevel === undefined ? {} : { logging: { level: global.logLevel } },
  });
  for (const { file, line, column, message } of loaded.warnings) {
    const place = [file, line, column].filter((part) => part !== null).join(":");
    output.note(`${place === "" ? "" : `${place}: `}warning: ${message}`);
  }
  return loaded;
}

/**
 * The logger of a command: readable lines on a terminal, JSON elsewhere, always on stderr.
 * @param quietLevel the level unless the command line or LOG_LEVEL names one
 */
export function commandLogger(
  context: CommandContext,
  { config, env }: LoadedConfig,
  quietLevel?: LogLevel,
): Logger {
  const isChosen = context.global.logLevel !== undefined || (env["LOG_LEVEL"] ?? "") !== "";
  const { level, format } = config.logging;
  return createLogger({
    level: quietLevel !== undefined && !isChosen ? quietLevel : level,
    pretty: format === "pretty" || (format === "auto" && context.isStderrTty),
    destination: { write: context.writeLog },
  });
}
