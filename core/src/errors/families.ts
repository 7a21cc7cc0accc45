import { type ErrorOptions, TaskerError } from "./base.js";
import { ERROR_CATALOGUE, type ErrorCode } from "./catalogue.js";

/** An error whose code, and therefore retryability, is given where it is thrown. */
class CodedError extends TaskerError {
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryable = ERROR_CATALOGUE[code].retryable;
  }
}

/** Configuration, templates and command lines that cannot be used as written. */
export class ConfigError extends CodedError {}
/** Postgres cannot be started, reached, trusted or migrated. */
export class DatabaseError extends CodedError {}
/** A handler process died, or broke the protocol. */
export class PeerError extends CodedError {}
/** A request that contradicts the state of a task, step, template or channel. */
export class StateError extends CodedError {}
