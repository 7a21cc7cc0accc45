/** How to reach a server. A bearer token wins over an API key. */
export interface ClientSettings {
  /** Default `TASKER_ORCHESTRATION_URL`, else http://localhost:8080. */
  readonly baseUrl?: string;
  /** For one request; default `TASKER_ORCHESTRATION_TIMEOUT_MS`, else 30 000. */
  readonly timeoutMs?: number;
  /** After the first try; default 3. */
  readonly maxRetries?: number;
  /** Default `TASKER_ORCHESTRATION_AUTH_TOKEN`, else `TASKER_AUTH_TOKEN`. */
  readonly authToken?: string;
  /** Default `TASKER_API_KEY`. */
  readonly apiKey?: string;
  /** Default `TASKER_API_KEY_HEADER`, else `X-API-Key`. */
  readonly apiKeyHeader?: string;
}

export interface ResolvedSettings {
  readonly baseUrl: string;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws RangeError for a URL or number that cannot be used */
export function resolveSettings(given: ClientSettings, env: Environment): ResolvedSettings {
  const baseUrl = given.baseUrl ?? env["TASKER_ORCHESTRATION_URL"] ?? "http://localhost:8080";
  if (!/^https?:\/\/[^/]/.test(baseUrl)) {
    throw new RangeError(`Expected an http or https URL of the server, got ${baseUrl}`);
  }
  const timeoutMs = given.timeoutMs ?? Number(env["TASKER_ORCHESTRATION_TIMEOUT_MS"] ?? 30_000);
  const maxRetries = given.maxRetries ?? 3;
  if (!(timeoutMs >= 1) || !(maxRetries >= 0)) {
    throw new RangeError(
      `Expected timeoutMs of at least 1 and maxRetries of at least 0, got ${timeoutMs} and ${maxRetries}`,
    );
  }
  return {
    baseUrl: baseUrl.replace(/\/+$/, ""),
    timeoutMs,
    maxRetries,
    headers: credentials(given, env),
  };
}

function credentials(given: ClientSettings, env: Environment): Record<string, string> {
  const token =
    given.authToken ?? env["TASKER_ORCHESTRATION_AUTH_TOKEN"] ?? env["TASKER_AUTH_TOKEN"];
  if (token) return { authorization: `Bearer ${token}` };
  const key = given.apiKey ?? env["TASKER_API_KEY"];
  if (!key) return {};
  return { [given.apiKeyHeader ?? env["TASKER_API_KEY_HEADER"] ?? "X-API-Key"]: key };
}
