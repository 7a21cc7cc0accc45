import type { LogHeader } from "@tasker-core/sdk/protocol";
import { findJsonFault } from "../lib/json-text.js";
import type { Logger } from "../observability/index.js";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
type Level = (typeof LEVELS)[number];
const MAX_RECORDS = 256;

/** Passes a `log` frame's records on. Returns what was wrong with the body, or null. */
export function forwardLogs(logger: Logger, header: LogHeader, body: Uint8Array): string | null {
  if (header.dropped > 0) {
    logger.warn(
      { dropped: header.dropped },
      "handler process logged too fast; records were dropped",
    );
  }
  if (body.byteLength === 0) return null;
  const fault = findJsonFault(body);
  if (fault !== null) return `Expected the body of \`log\` to be JSON: ${fault}`;
  const records: unknown = JSON.parse(Buffer.from(body).toString());
  if (!Array.isArray(records)) return "Expected the body of `log` to be a list of records";
  for (const record of records.slice(0, MAX_RECORDS)) forwardRecord(logger, record);
  return null;
}

function forwardRecord(logger: Logger, record: unknown): void {
  if (typeof record !== "object" || record === null) return;
  const {
    level,
    message,
    logger: name,
    ts,
    delivery_id,
    correlation_id,
    fields,
  } = record as Readonly<Record<string, unknown>>;
  const own = { name, ts, delivery_id, correlation_id, fields };
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value != null));
  logger[readLevel(level)](given, typeof message === "string" ? message : "");
}

/** Python says WARNING and CRITICAL, Ruby WARN and FATAL. */
function readLevel(level: unknown): Level {
  const word = typeof level === "string" ? level.toLowerCase() : "";
  if (word === "warning") return "warn";
  if (word === "critical") return "fatal";
  return LEVELS.find((known) => known === word) ?? "info";
}
