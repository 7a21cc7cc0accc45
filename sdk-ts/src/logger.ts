export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a host takes a handler's log records. */
export type LogSink = (level: LogLevel, message: string, fields: LogFields) => void;

export type LogMethod = (message: string, fields?: LogFields) => void;
export type StepLogger = Readonly<Record<LogLevel, LogMethod>>;

/** A logger whose records carry `defaultFields`, overridden by the fields of each call. */
export function loggerFor(sink: LogSink, defaultFields: LogFields): StepLogger {
  const at =
    (level: LogLevel): LogMethod =>
    (message, fields) =>
      sink(level, message, fields === undefined ? defaultFields : { ...defaultFields, ...fields });
  return {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: at("trace"),
  };
}

export const silentSink: LogSink = () => {};
