import { currentModule } from "../ffi/current-module.js";
import {
  type LogFields,
  type LogLevel,
  type LogSink,
  loggerFor,
  type StepLogger,
} from "../logger.js";
import { processWide } from "../process-wide.js";
import { complain } from "../stderr.js";

/** Where records go; empty: to the worker's host when there is one, else standard error. */
const runtime = processWide("logging-runtime", () => ({ sink: null as LogSink | null }));

/** Sends log records of this process elsewhere; null takes that back. */
export function setLoggingRuntime(sink: LogSink | null): void {
  runtime.sink = sink;
}

/** A logger whose records carry `defaultFields`, overridden by the fields of each call. */
export function createLogger(defaultFields: LogFields = {}): StepLogger {
  return loggerFor(write, defaultFields);
}

export function logError(message: string, fields: LogFields = {}): void {
  write("error", message, fields);
}

export function logWarn(message: string, fields: LogFields = {}): void {
  write("warn", message, fields);
}

export function logInfo(message: string, fields: LogFields = {}): void {
  write("info", message, fields);
}

export function logDebug(message: string, fields: LogFields = {}): void {
  write("debug", message, fields);
}

export function logTrace(message: string, fields: LogFields = {}): void {
  write("trace", message, fields);
}

function write(level: LogLevel, message: string, fields: LogFields): void {
  if (runtime.sink !== null) {
    runtime.sink(level, message, fields);
    return;
  }
  const module = currentModule();
  if (module?.isWorkerRunning()) {
    module.log(level, message, fields);
    return;
  }
  const rest = Object.keys(fields).length === 0 ? "" : ` ${JSON.stringify(fields)}`;
  complain(`[${new Date().toISOString()}] ${level.toUpperCase()}: ${message}${rest}`);
}
