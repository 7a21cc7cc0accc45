import { ApiResponse, httpErrorMessage, httpErrorType } from "./api-response.js";
import { StepHandler } from "./handler.js";
import { StepHandlerResult } from "./result.js";
import { constructorName, messageOf } from "./thrown.js";

type Headers = Record<string, string>;
type Params = Record<string, unknown>;

export interface BodyOptions {
  readonly body?: unknown;
  /** Send `body` as JSON (default) or as it is. */
  readonly json?: boolean;
  readonly headers?: Headers;
}

/** The methods of an HTTP-calling handler, wherever they are attached. */
export interface APICapable {
  get(path: string, params?: Params, headers?: Headers): Promise<ApiResponse>;
  post(path: string, options?: BodyOptions): Promise<ApiResponse>;
  put(path: string, options?: BodyOptions): Promise<ApiResponse>;
  patch(path: string, options?: BodyOptions): Promise<ApiResponse>;
  delete(path: string, headers?: Headers): Promise<ApiResponse>;
  request(method: string, path: string, init?: RequestInit): Promise<ApiResponse>;
  apiSuccess(response: ApiResponse, result?: unknown, includeResponse?: boolean): StepHandlerResult;
  apiFailure(response: ApiResponse, message?: string): StepHandlerResult;
  connectionError(error: unknown, context?: string): StepHandlerResult;
  timeoutError(error: unknown, context?: string): StepHandlerResult;
}

export interface ApiSettings {
  readonly baseUrl: string;
  /** Milliseconds for a whole request, body included. */
  readonly timeout: number;
  readonly defaultHeaders: Headers;
  /** Ends requests when the step is asked to stop. */
  readonly signal?: AbortSignal;
}

/**
 * HTTP for handlers. An error status is an answer, not an exception: give it to `apiFailure`, which knows what
 * is worth retrying and passes `Retry-After` on. Only a request without any answer rejects.
 */
export class APIMixin implements APICapable {
  readonly #settings: ApiSettings;

  constructor(settings: Partial<ApiSettings> = {}) {
    this.#settings = { baseUrl: "", timeout: 30_000, defaultHeaders: {}, ...settings };
  }

  get baseUrl(): string {
    return this.#settings.baseUrl;
  }

  get timeout(): number {
    return this.#settings.timeout;
  }

  get defaultHeaders(): Headers {
    return this.#settings.defaultHeaders;
  }

  get(path: string, params?: Params, headers?: Headers): Promise<ApiResponse> {
    return this.request("GET", path + queryOf(params), headers === undefined ? {} : { headers });
  }

  post(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return this.request("POST", path, initWithBody(options));
  }

  put(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return this.request("PUT", path, initWithBody(options));
  }

  patch(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return this.request("PATCH", path, initWithBody(options));
  }

  delete(path: string, headers?: Headers): Promise<ApiResponse> {
    return this.request("DELETE", path, headers === undefined ? {} : { headers });
  }

  /** @throws what `fetch` rejects with: no connection, or no complete answer within the timeout. */
  async request(method: string, path: string, init: RequestInit = {}): Promise<ApiResponse> {
    const headers = new globalThis.Headers(this.defaultHeaders);
    new globalThis.Headers(init.headers).forEach((value, name) => {
      headers.set(name, value);
    });
    const signals = [AbortSignal.timeout(this.timeout)];
    if (this.#settings.signal !== undefined) signals.push(this.#settings.signal);
    if (init.signal) signals.push(init.signal);
    const signal = AbortSignal.any(signals);
    const response = await fetch(this.baseUrl + path, { ...init, method, headers, signal });
    return await ApiResponse.read(response);
  }

  apiSuccess(response: ApiResponse, result?: unknown, includeResponse = true): StepHandlerResult {
    const body = isPlainObject(response.body) ? response.body : { data: response.body };
    return StepHandlerResult.success(
      result ?? body,
      includeResponse ? { status_code: response.statusCode, headers: response.headers } : {},
    );
  }

  apiFailure(response: ApiResponse, message?: string): StepHandlerResult {
    const metadata: Record<string, unknown> = {
      status_code: response.statusCode,
      headers: response.headers,
    };
    if (response.retryAfter !== null) metadata["retry_after_seconds"] = response.retryAfter;
    if (response.body) metadata["response_body"] = response.body;
    return StepHandlerResult.failure(
      message ?? httpErrorMessage(response),
      httpErrorType(response),
      response.isRetryable,
      metadata,
    );
  }

  connectionError(error: unknown, context?: string): StepHandlerResult {
    return unanswered("Connection error", "connection_error", error, context);
  }

  timeoutError(error: unknown, context?: string): StepHandlerResult {
    return unanswered("Request timeout", "timeout", error, context);
  }
}

/** Gives `target` the HTTP methods, bound; `baseUrl`, `timeout`, `defaultHeaders` are read from it once. */
export function applyAPI<T extends object>(target: T & Partial<ApiSettings>): T & APICapable {
  const mixin = new APIMixin({
    ...(target.baseUrl === undefined ? {} : { baseUrl: target.baseUrl }),
    ...(target.timeout === undefined ? {} : { timeout: target.timeout }),
    ...(target.defaultHeaders === undefined ? {} : { defaultHeaders: target.defaultHeaders }),
  });
  const methods: APICapable = {
    get: mixin.get.bind(mixin),
    post: mixin.post.bind(mixin),
    put: mixin.put.bind(mixin),
    patch: mixin.patch.bind(mixin),
    delete: mixin.delete.bind(mixin),
    request: mixin.request.bind(mixin),
    apiSuccess: mixin.apiSuccess.bind(mixin),
    apiFailure: mixin.apiFailure.bind(mixin),
    connectionError: mixin.connectionError.bind(mixin),
    timeoutError: mixin.timeoutError.bind(mixin),
  };
  return Object.assign(target, methods);
}

/** A class handler that calls an HTTP API. */
export abstract class ApiHandler extends StepHandler {
  static readonly baseUrl: string = "";
  /** Milliseconds. */
  static readonly defaultTimeout: number = 30_000;
  static readonly defaultHeaders: Readonly<Record<string, string>> = {};

  #mixin: APIMixin | null = null;

  override get capabilities(): string[] {
    return ["process", "http", "api"];
  }

  protected get(path: string, params?: Params, headers?: Headers): Promise<ApiResponse> {
    return this.#api.get(path, params, headers);
  }

  protected post(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return this.#api.post(path, options);
  }

  protected put(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return this.#api.put(path, options);
  }

  protected patch(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return this.#api.patch(path, options);
  }

  protected delete(path: string, headers?: Headers): Promise<ApiResponse> {
    return this.#api.delete(path, headers);
  }

  protected request(method: string, path: string, init?: RequestInit): Promise<ApiResponse> {
    return this.#api.request(method, path, init);
  }

  protected apiSuccess(
    response: ApiResponse,
    result?: unknown,
    includeResponse?: boolean,
  ): StepHandlerResult {
    return this.#api.apiSuccess(response, result, includeResponse);
  }

  protected apiFailure(response: ApiResponse, message?: string): StepHandlerResult {
    return this.#api.apiFailure(response, message);
  }

  protected connectionError(error: unknown, context?: string): StepHandlerResult {
    return this.#api.connectionError(error, context);
  }

  protected timeoutError(error: unknown, context?: string): StepHandlerResult {
    return this.#api.timeoutError(error, context);
  }

  get #api(): APIMixin {
    const type = this.constructor as typeof ApiHandler;
    this.#mixin ??= new APIMixin({
      baseUrl: type.baseUrl,
      timeout: type.defaultTimeout,
      defaultHeaders: { ...type.defaultHeaders },
    });
    return this.#mixin;
  }
}

function initWithBody(options: BodyOptions = {}): RequestInit {
  const headers: Headers = { ...options.headers };
  if (!options.body) return { headers };
  if (options.json === false) return { headers, body: options.body as string | Uint8Array };
  const named = Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  if (!named) headers["Content-Type"] = "application/json";
  return { headers, body: JSON.stringify(options.body) };
}

function queryOf(params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined) query.append(name, String(value));
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

function unanswered(
  what: string,
  errorType: string,
  error: unknown,
  context?: string,
): StepHandlerResult {
  const where = context ? ` while ${context}` : "";
  return StepHandlerResult.failure(`${what}${where}: ${messageOf(error)}`, errorType, true, {
    exception_type: constructorName(error),
  });
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
