export {
  type ErrorContext,
  type ErrorOptions,
  isTaskerError,
  messageOf,
  TaskerError,
} from "./base.js";
export { ERROR_CATALOGUE, type ErrorCode } from "./catalogue.js";
export { ConfigError, DatabaseError, PeerError, StateError } from "./families.js";
