import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors/index.js";
import { type JsonValue, stringifyJson } from "../../lib/json-number.js";
import { parseJson } from "../../lib/parse-json.js";
import { CliError } from "../cli-error.js";
import { EXIT } from "../exit-codes.js";
import { packageVersion } from "../version.js";
import { type Api, type ApiRequest, type Method, target } from "./api.js";
import type { ClientEndpoint } from "./client-config.js";
import { refusal } from "./refusal.js";

const FIRST_PAUSE_MS = 500;

/** The API of a server over HTTP. What changes nothing is tried again; a task is created with one key for all tries. */
export class RestApi implements Api {
  readonly place: string;
  readonly #endpoint: ClientEndpoint;

  constructor(endpoint: ClientEndpoint) {
    this.#endpoint = endpoint;
    this.place = endpoint.base_url.replace(/\/+$/, "");
  }

  async call(method: Method, path: string, request: ApiRequest): Promise<JsonValue> {
    const url = `${this.place}${target(path, request.query)}`;
    const tries = 1 + (isRepeatable(method, request) ? this.#endpoint.max_retries : 0);
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= tries;
      try {
        const answer = await this.#fetch(method, url, request.body);
        const text = await answer.text();
        if (answer.ok) return this.#read(text, url);
        if (isLast || answer.status < 500) {
          throw refusal(answer.status, text, { intent: request.intent, place: this.place });
        }
      } catch (error) {
        if (error instanceof CliError) throw error;
        if (isLast) throw this.#unreachable(error, tries);
      }
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }

  async close(): Promise<void> {}

  async #fetch(method: Method, url: string, body: unknown): Promise<Response> {
    return await fetch(url, {
      method,
      headers: {
        accept: "application/json",
        "user-agent": `tasker-ctl/${packageVersion()}`,
        ...credentials(this.#endpoint),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: stringifyJson(body) }),
      signal: AbortSignal.timeout(this.#endpoint.timeout_ms),
    });
  }

  #read(text: string, url: string): JsonValue {
    try {
      return text === "" ? null : parseJson(text);
    } catch (error) {
      const message = `The answer of ${url} is no JSON (${messageOf(error)}): is this a Tasker server?`;
      throw new CliError("ANSWER_INVALID", EXIT.environment, message);
    }
  }

  #unreachable(error: unknown, tries: number): CliError {
    const { name, cause } = error as { name?: string; cause?: unknown };
    const why =
      name === "TimeoutError"
        ? `no answer within ${this.#endpoint.timeout_ms} ms`
        : messageOf(cause ?? error);
    const often = tries === 1 ? "" : ` after ${tries} tries`;
    return new CliError(
      "SERVER_UNREACHABLE",
      EXIT.environment,
      `The server at ${this.place} cannot be reached${often}: ${why}. Start it with \`tasker server\`, or name another one: --server, TASKER_ORCHESTRATION_URL or a profile`,
      { url: this.place },
    );
  }
}

function isRepeatable(method: Method, { body }: ApiRequest): boolean {
  if (method === "GET") return true;
  const key = (body as { idempotency_key?: unknown } | undefined)?.idempotency_key;
  return method === "POST" && typeof key === "string";
}

/** A bearer token takes precedence. */
function credentials({ auth, auth_token: token }: ClientEndpoint): Record<string, string> {
  const method = auth?.method;
  if (method?.type === "BearerToken") return { authorization: `Bearer ${method.value.reveal()}` };
  if (token !== undefined) return { authorization: `Bearer ${token.reveal()}` };
  return method === undefined ? {} : { [method.value.header_name]: method.value.key.reveal() };
}
