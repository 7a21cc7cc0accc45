const LOST_CONNECTION_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOENT",
  "ETIMEDOUT",
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
]);

/** Did the connection go away (server restarting, network gone), rather than the statement fail? */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  if (LOST_CONNECTION_CODES.has(code) || code.startsWith("08")) return true;
  // The driver has no code for these.
  return /connection terminated|not queryable|connection error|connection timeout|timeout expired|timeout exceeded when trying to connect/i.test(
    error.message,
  );
}

/** SQLSTATE classes that blame the data of a batch: 22 data exception, 54 program limit exceeded. */
export function isDataError(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(22|54)/.test(String(error.code));
}
