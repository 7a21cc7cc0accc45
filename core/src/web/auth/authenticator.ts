import type { IncomingHttpHeaders } from "node:http";
import type { Logger } from "../../observability/index.js";
import { ApiError } from "../api-error.js";
import type { ApiKeys } from "./api-keys.js";
import { FailureLog } from "./failure-log.js";
import {
  CredentialRefused,
  invalidApiKey,
  invalidToken,
  malformedCredentials,
  missingCredentials,
} from "./failures.js";
import type { JwtVerifier } from "./jwt-verifier.js";
import type { Principal } from "./principal.js";

export interface AuthenticatorOptions {
  /** Null: tokens are not accepted. */
  readonly jwt: JwtVerifier | null;
  readonly apiKeys: ApiKeys;
  readonly apiKeyHeader: string;
  readonly logger: Logger;
}

/** What the log says about a request whose credentials were refused. */
export interface AskedWith {
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly route: string;
  readonly ip: string;
}

/** Says who asks. A bearer token comes before an API key: when both are there, the key is not looked at. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #failures: FailureLog;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#failures = new FailureLog(options.logger);
  }

  /** @throws ApiError 401; 503 when the issuer's keys cannot be had */
  async authenticate(asked: AskedWith): Promise<Principal> {
    try {
      return await this.#principal(asked.headers);
    } catch (error) {
      const answer = error instanceof ApiError ? error : keysUnavailable(error);
      const { method, route, ip } = asked;
      const why = answer.cause instanceof Error ? answer.cause.message : answer.message;
      this.#failures.write({ method, route, ip, why }, `authentication failed: ${answer.message}`);
      throw answer;
    }
  }

  async #principal(headers: IncomingHttpHeaders): Promise<Principal> {
    const { authorization } = headers;
    if (authorization !== undefined) return await this.#bearer(authorization);
    const key = headers[this.#options.apiKeyHeader.toLowerCase()];
    if (key === undefined || key === "") throw missingCredentials();
    const found = typeof key === "string" ? this.#options.apiKeys.find(key) : null;
    if (found === null) throw invalidApiKey(new CredentialRefused("no such key"));
    return found;
  }

  async #bearer(authorization: string): Promise<Principal> {
    const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (token === undefined) {
      throw malformedCredentials(new CredentialRefused("not `Bearer <token>`"));
    }
    const { jwt } = this.#options;
    if (jwt === null) throw invalidToken(new CredentialRefused("tokens are not configured"));
    try {
      return await jwt.verify(token);
    } catch (error) {
      throw error instanceof CredentialRefused ? invalidToken(error) : error;
    }
  }
}

function keysUnavailable(cause: unknown): ApiError {
  return new ApiError(503, "SERVICE_UNAVAILABLE", "Tokens cannot be checked at the moment", {
    cause,
    headers: { "retry-after": "5" },
  });
}
