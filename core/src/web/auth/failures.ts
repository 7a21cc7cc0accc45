import { ApiError } from "../api-error.js";
import type { Permission } from "./permissions.js";

/** Why a credential was refused, for the log. The client is told the contract's words only. */
export class CredentialRefused extends Error {}

/** contract/rest.md section 1: code, words and headers of each refusal. */
export const missingCredentials = (): ApiError =>
  unauthenticated("Missing authentication credentials", "missing", "low", null);

export const malformedCredentials = (cause: CredentialRefused): ApiError =>
  unauthenticated("Malformed authorization header", "malformed", "high", 60, cause);

export const invalidToken = (cause: CredentialRefused): ApiError =>
  unauthenticated("Invalid or expired token", "invalid", "high", 60, cause);

export const invalidApiKey = (cause: CredentialRefused): ApiError =>
  unauthenticated("Invalid API key", "invalid", "high", 60, cause);

export function missingPermission(permission: Permission): ApiError {
  return forbidden(`Missing required permission: ${permission}`);
}

/** For answers that cannot be cut down to some namespaces. */
export function beyondNamespaces(): ApiError {
  return forbidden(
    "This answer is about every namespace: credentials that are limited to some do not get it",
  );
}

/** Who may not, for a namespace that was named in a request to create something. */
export function namespaceForbidden(namespace: string): ApiError {
  return forbidden(`These credentials are not for namespace ${namespace}`);
}

function forbidden(message: string): ApiError {
  return new ApiError(403, "AUTHORIZATION_FAILED", message, {
    headers: headersOf("forbidden", "medium", 5),
  });
}

function unauthenticated(
  message: string,
  reason: string,
  severity: string,
  retryAfterSeconds: number | null,
  cause?: CredentialRefused,
): ApiError {
  return new ApiError(401, "AUTHENTICATION_FAILED", message, {
    cause,
    headers: {
      ...headersOf(reason, severity, retryAfterSeconds),
      "www-authenticate": reason === "invalid" ? 'Bearer error="invalid_token"' : "Bearer",
    },
  });
}

function headersOf(
  reason: string,
  severity: string,
  retryAfterSeconds: number | null,
): Record<string, string> {
  return {
    "x-auth-failure-reason": reason,
    "x-auth-failure-severity": severity,
    ...(retryAfterSeconds === null ? {} : { "retry-after": String(retryAfterSeconds) }),
  };
}
