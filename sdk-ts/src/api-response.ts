const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  409: "conflict",
  410: "gone",
  422: "unprocessable_entity",
  429: "rate_limited",
  500: "internal_server_error",
  502: "bad_gateway",
  503: "service_unavailable",
  504: "gateway_timeout",
};

const DETAIL_KEYS = ["error", "message", "detail", "error_message", "msg"];

/** An HTTP response with its body already read. */
export class ApiResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  /** Parsed JSON when the server said it is JSON and it parses, else text. */
  readonly body: unknown;
  readonly rawResponse: Response;

  constructor(rawResponse: Response, body: unknown = null) {
    this.statusCode = rawResponse.status;
    this.headers = Object.fromEntries(rawResponse.headers);
    this.body = body;
    this.rawResponse = rawResponse;
  }

  static async read(response: Response): Promise<ApiResponse> {
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("application/json") ?? false;
    return new ApiResponse(response, isJson ? parseOrText(text) : text);
  }

  get ok(): boolean {
    return this.statusCode >= 200 && this.statusCode <= 299;
  }

  get isClientError(): boolean {
    return this.statusCode >= 400 && this.statusCode <= 499;
  }

  get isServerError(): boolean {
    return this.statusCode >= 500 && this.statusCode <= 599;
  }

  get isRetryable(): boolean {
    return RETRYABLE_STATUSES.has(this.statusCode);
  }

  /** Seconds the server asked to wait; 60 when it said so unreadably, null when it did not say. */
  get retryAfter(): number | null {
    const header = this.headers["retry-after"];
    if (header === undefined) return null;
    const seconds = Number.parseInt(header, 10);
    return Number.isNaN(seconds) ? 60 : seconds;
  }

  toDict(): Record<string, unknown> {
    return { status_code: this.statusCode, headers: this.headers, body: this.body };
  }
}

/** The error type every language uses for this HTTP status. */
export function httpErrorType(response: ApiResponse): string {
  const known = ERROR_TYPES[response.statusCode];
  if (known !== undefined) return known;
  if (response.isClientError) return "client_error";
  return response.isServerError ? "server_error" : "http_error";
}

/** `HTTP 409: already charged`: the body's own words when it has some, else the status text. */
export function httpErrorMessage(response: ApiResponse): string {
  const detail = detailOf(response.body) ?? response.rawResponse.statusText;
  const standard = response.statusCode === 429 ? "Too Many Requests" : "HTTP Error";
  return `HTTP ${response.statusCode}: ${detail || standard}`;
}

function detailOf(body: unknown): string | null {
  if (typeof body !== "object" || body === null) return null;
  for (const key of DETAIL_KEYS) {
    const value = (body as Record<string, unknown>)[key];
    if (typeof value === "string") return value;
    if (typeof value === "object" && value !== null) {
      const nested = (value as { message?: unknown }).message;
      if (typeof nested === "string") return nested;
    }
  }
  return null;
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
