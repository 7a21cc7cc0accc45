/**
 * Every error code, with the HTTP status it maps to and whether trying again can help.
 * A code is never reused for another meaning. Keep the families together, alphabetical within.
 */
export const ERROR_CATALOGUE = {
  // configuration
  AUTH_UNUSABLE: { status: 500, retryable: false },
  BIND_UNSAFE: { status: 500, retryable: false },
  CALLABLE_AMBIGUOUS: { status: 500, retryable: false },
  CONFIG_INVALID: { status: 500, retryable: false },
  JOIN_ADDRESS_INVALID: { status: 500, retryable: false },
  JOIN_ADDRESS_UNUSABLE: { status: 500, retryable: false },
  JOIN_FILE_UNUSABLE: { status: 500, retryable: false },
  NATIVE_LIBRARY_UNUSABLE: { status: 500, retryable: false },
  WEB_ADDRESS_UNUSABLE: { status: 500, retryable: false },
  // channels
  CHANNEL_CLOSED: { status: 503, retryable: true },
  // database
  CIRCUIT_BREAKER_OPEN: { status: 503, retryable: true },
  DATABASE_NOT_FOUND: { status: 503, retryable: false },
  DATABASE_START_FAILED: { status: 503, retryable: false },
  DATABASE_UNSAFE: { status: 503, retryable: false },
  MIGRATION_CHECKSUM_MISMATCH: { status: 503, retryable: false },
  MIGRATION_FAILED: { status: 503, retryable: false },
  SCHEMA_TOO_NEW: { status: 503, retryable: false },
  SCHEMA_TOO_OLD: { status: 503, retryable: false },
  // peers (handler processes)
  BRIDGE_PACKAGE_NOT_FOUND: { status: 503, retryable: false },
  INTERPRETER_NOT_FOUND: { status: 503, retryable: false },
  PEER_EXITED: { status: 503, retryable: true },
  PEER_HANDSHAKE_FAILED: { status: 503, retryable: false },
  PEER_PROTOCOL_ERROR: { status: 503, retryable: true },
  // handler files
  HANDLER_IMPORT_FAILED: { status: 500, retryable: false },
  HANDLER_NAME_CONFLICT: { status: 500, retryable: false },
  HANDLER_PATH_NOT_FOUND: { status: 500, retryable: false },
  // messaging
  QUEUE_FULL: { status: 503, retryable: true },
  QUEUE_NAME_INVALID: { status: 422, retryable: false },
  QUEUE_NOT_FOUND: { status: 404, retryable: false },
  // tasks
  INVALID_TRANSITION: { status: 409, retryable: false },
  PLAN_IMPOSSIBLE: { status: 422, retryable: false },
  RESULT_INVALID: { status: 422, retryable: false },
  STEP_NOT_FOUND: { status: 404, retryable: false },
  TASK_DUPLICATE: { status: 409, retryable: false },
  TASK_NOT_FOUND: { status: 404, retryable: false },
  TASK_REQUEST_INVALID: { status: 400, retryable: false },
  // templates
  TEMPLATE_INVALID: { status: 422, retryable: false },
  TEMPLATE_NOT_FOUND: { status: 404, retryable: false },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;
