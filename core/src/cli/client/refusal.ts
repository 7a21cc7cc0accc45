import { CliError } from "../cli-error.js";
import { EXIT } from "../exit-codes.js";
import { printable } from "../terminal.js";

/** An answer of the API that is not 2xx, as what it means for whoever typed the command. */
export function refusal(
  status: number,
  body: string,
  from: { readonly intent: string; readonly place: string },
): CliError {
  const { code, message } = errorOf(body, status);
  const details = { status };
  const text = (why: string): string => `Could not ${from.intent}: ${printable(why)}`;
  if (status === 401) {
    const fix =
      "give a token (TASKER_AUTH_TOKEN) or a key (TASKER_API_KEY), or `auth` in the client configuration";
    return new CliError(
      code,
      EXIT.environment,
      `${text(message)}. ${from.place} wants credentials: ${fix}`,
      details,
    );
  }
  if (status === 403) {
    return new CliError(
      code,
      EXIT.environment,
      `${text(`permission denied: ${message}`)}. Ask for it, or use another token or key`,
      details,
    );
  }
  if (status >= 500 || status === 408) {
    const full = `${text(message)} (${status} from ${from.place}); look at the server's log, or try again later`;
    return new CliError(code, EXIT.environment, full, details);
  }
  const exitCode =
    status === 404 || status === 409 || code === "BAD_REQUEST" ? EXIT.failed : EXIT.usage;
  return new CliError(code, exitCode, text(message), details);
}

function errorOf(body: string, status: number): { code: string; message: string } {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    if (typeof error === "string") return { code: error.toUpperCase(), message: String(message) };
    const { code, message: own } = error as { code: unknown; message: unknown };
    return { code: String(code), message: String(own) };
  } catch {
    // Not ours: a proxy, or another server.
    const line = body.replace(/\s+/g, " ").slice(0, 200);
    return { code: `HTTP_${status}`, message: line === "" ? `the answer was ${status}` : line };
  }
}
