import type { LogFields, LogSink } from "../logger.js";

interface EventLogMethod {
  (message: string): void;
  (fields: LogFields, message: string): void;
}

/** The logger of publishers and subscribers: a message, or fields and a message. */
export type EventLogger = Readonly<Record<"debug" | "info" | "warn" | "error", EventLogMethod>>;

/** @param sink asked for at every record: hosts attach theirs after construction */
export function eventLogger(sink: () => LogSink): EventLogger {
  const at =
    (level: keyof EventLogger): EventLogMethod =>
    (first: LogFields | string, message?: string) => {
      if (typeof first === "string") sink()(level, first, {});
      else sink()(level, message ?? "", first);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
