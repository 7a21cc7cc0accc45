import {
  type DestinationStream,
  destination as fileDestination,
  pino,
  stdTimeFunctions,
} from "pino";
import { prettyStream } from "./pretty-stream.js";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields of one record. An `Error` belongs under `err`: its cause chain and code are kept. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface LogMethod {
  (fields: LogFields, message: string): void;
  (message: string): void;
}

/** What the other rooms log through: a pino logger fits, and so does a test's recorder. */
export interface Logger {
  readonly level: string;
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  /** A logger that adds these fields (correlation_id, task_uuid, step_name, ...) to every record. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level?: LogLevel;
  /** One readable line per record instead of JSON: for a person's terminal. */
  readonly pretty?: boolean;
  /** Where records go; default stderr, because stdout belongs to what a command prints. */
  readonly destination?: DestinationStream;
}

const SECRET_KEYS = [
  "password",
  "token",
  "secret",
  "authorization",
  "cookie",
  "api_key",
  "apiKey",
  "auth_token",
  "authToken",
  "jwt_private_key",
  "database_url",
  "databaseUrl",
] as const;

// One level deep as well: `{ headers: { authorization } }` is how secrets usually arrive.
const REDACTED_PATHS = SECRET_KEYS.flatMap((key) => [key, `*.${key}`]).concat(
  `*["x-api-key"]`,
  `["x-api-key"]`,
);

/**
 * Creates a logger that writes one JSON object per line: `level` as a word, `time` as RFC 3339 UTC,
 * `msg`, and the given fields. Values under names of secrets are replaced by `[redacted]`.
 *
 * Writes are synchronous, so that the last record before a crash is not the one that is missing.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const destination = options.destination ?? fileDestination({ fd: 2, sync: true });
  return pino(
    {
      level: options.level ?? "info",
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...REDACTED_PATHS], censor: "[redacted]" },
    },
    options.pretty === true ? prettyStream(destination) : destination,
  );
}

/** A logger that writes nothing, for code under test and for library use. */
export function silentLogger(): Logger {
  return createLogger({ level: "silent", destination: { write: () => undefined } });
}

/** Whether a text names a level; anything else from the environment is refused by the caller. */
export function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}
