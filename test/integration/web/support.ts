import { type Config, defaultConfig } from "../../../core/src/config/index.js";
import { createLogger, type Logger } from "../../../core/src/observability/index.js";
import { orchestrationApi } from "../../../core/src/serve.js";
import type { ServeOptions } from "../../../core/src/serve-options.js";
import { workerApi } from "../../../core/src/serve-worker.js";
import type { WebServer } from "../../../core/src/web/index.js";
import type { TestEngine } from "../../support/test-engine.js";

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed; undefined when it is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly body: any;
}

type Setup = [configure?: (config: Config) => void, logger?: Logger];

async function startApi(
  create: (options: ServeOptions) => Promise<WebServer | null>,
  host: TestEngine,
  [configure, logger = createLogger({ level: "silent" })]: Setup,
): Promise<TestApi> {
  const config = defaultConfig();
  config.orchestration.web.bind_address = "127.0.0.1:0";
  config.worker.web.bind_address = "127.0.0.1:0";
  configure?.(config);
  const server = await create({ engine: host.engine, config, version: "0.0.0-test", logger });
  if (server === null) throw new Error("the API is switched off");
  await server.start();
  return new TestApi(server);
}

/** The API of a test engine on a free port, and a client of it. */
export class TestApi {
  readonly server: WebServer;

  constructor(server: WebServer) {
    this.server = server;
  }

  static async start(host: TestEngine, ...setup: Setup): Promise<TestApi> {
    return await startApi(orchestrationApi, host, setup);
  }

  static async startWorker(host: TestEngine, ...setup: Setup): Promise<TestApi> {
    return await startApi(workerApi, host, setup);
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ApiAnswer> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await fetch(`${this.server.url}${path}`, {
      method,
      headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: text }),
    });
    const answered = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      text: answered,
      body: parsed(answered),
    };
  }

  /** Asks until the answer fits. */
  async until(path: string, fits: (body: ApiAnswer["body"]) => boolean): Promise<ApiAnswer> {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const answer = await this.call("GET", path);
      if (fits(answer.body)) return answer;
      if (Date.now() > deadline) throw new Error(`${path} is still ${answer.text}`);
      await new Promise((settle) => setTimeout(settle, 20));
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
