import { isTaskerError, messageOf, type TaskerError } from "../errors/index.js";
import { CliError } from "./cli-error.js";
import { EXIT } from "./exit-codes.js";

export interface DescribedError {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
  /** More for machines: places, ids. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** What went wrong, in one message a person can act on, with the exit code that says whose turn it is. */
export function describeError(error: unknown): DescribedError {
  if (error instanceof CliError) {
    const { code, message, exitCode, details } = error;
    return { code, message, exitCode, details };
  }
  if (isTaskerError(error)) {
    const { code, message, context } = error;
    return { code, message, exitCode: exitCodeOf(error), details: context };
  }
  const database = databaseProblem(error);
  if (database !== null) {
    const message = `The database cannot be used: ${database}. Check DATABASE_URL, or unset it to use the embedded Postgres of this project.`;
    return { code: "DATABASE_UNREACHABLE", message, exitCode: EXIT.environment, details: {} };
  }
  return {
    code: "UNEXPECTED",
    message: `${messageOf(error)} (an error nobody foresaw: please report it; TASKER_DEBUG=1 shows where)`,
    exitCode: EXIT.bug,
    details: {},
  };
}

/** The command was right, and what it was about does not exist or does not allow it. */
const REFUSALS = new Set<string>(["TASK_NOT_FOUND", "STEP_NOT_FOUND", "INVALID_TRANSITION"]);

function exitCodeOf({ code, name }: TaskerError): number {
  if (REFUSALS.has(code)) return EXIT.failed;
  if (name === "DatabaseError" || name === "PeerError") return EXIT.environment;
  // Configuration, requests and templates: written by whoever called us.
  return EXIT.usage;
}

const CONNECTION_CODES =
  /^(?:ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EAI_AGAIN|ENOENT|08...|28...|3D000|42501|53300|57P..)$/;

/** The driver's words for a server that is not there or does not let us in; null for any other error. */
function databaseProblem(error: unknown): string | null {
  if (error instanceof AggregateError) {
    // One error per address of the host.
    const [first] = error.errors.map(databaseProblem).filter((problem) => problem !== null);
    return first ?? null;
  }
  if (!(error instanceof Error)) return null;
  const { code, syscall, severity } = error as Error & {
    code?: string;
    syscall?: string;
    severity?: string;
  };
  const isFromDriver =
    severity !== undefined || /^(?:connect|getaddrinfo|read)$/.test(syscall ?? "");
  if (isFromDriver && CONNECTION_CODES.test(code ?? "")) return error.message;
  return /^(?:Connection terminated|timeout (?:expired|exceeded) when trying to connect)/i.test(
    error.message,
  )
    ? error.message
    : null;
}
