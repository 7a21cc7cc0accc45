import type { DestinationStream } from "pino";

/** Turns pino's JSON lines into `12:00:00.000 WARN message key=value`, errors with their stack below. */
export function prettyStream(target: DestinationStream): DestinationStream {
  return { write: (line) => target.write(`${prettyLine(line)}\n`) };
}

function prettyLine(line: string): string {
  // The input is our own logger's output, one object per line.
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const head = `${clock} ${String(level).toUpperCase().padEnd(5)} ${msg ?? ""}`.trimEnd();
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${compact(value)}`);
  return head + rest.join("") + errorText(err);
}

function compact(value: unknown): string {
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

function errorText(err: unknown): string {
  if (err === undefined) return "";
  const stack = typeof err === "object" && err !== null ? (err as { stack?: unknown }).stack : err;
  return `\n${String(stack)}`.replaceAll("\n", "\n    ");
}
