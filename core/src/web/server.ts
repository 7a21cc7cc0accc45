import type { FastifyInstance } from "fastify";
import { ConfigError, messageOf } from "../errors/index.js";
import { type AppOptions, createApp } from "./app.js";

export interface WebServerOptions extends AppOptions {
  readonly name: string;
  /** `host:port`; an IPv6 host in brackets. */
  readonly bindAddress: string;
  /** The configuration's key of it, for messages. */
  readonly bindKey: string;
}

/** An HTTP server with a life. */
export class WebServer {
  readonly name: string;
  readonly #options: WebServerOptions;
  #app: FastifyInstance | undefined;
  #url: string | undefined;

  constructor(options: WebServerOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Where it serves, with the real port. */
  get url(): string {
    if (this.#url === undefined) throw new Error(`${this.name} has not been started`);
    return this.#url;
  }

  /** @throws ConfigError WEB_ADDRESS_UNUSABLE */
  async start(): Promise<void> {
    const { bindAddress, bindKey, logger } = this.#options;
    const at = bindAddress.lastIndexOf(":");
    const host = bindAddress.slice(0, at).replace(/^\[|\]$/g, "");
    const app = await createApp(this.#options);
    try {
      this.#url = await app.listen({ host, port: Number(bindAddress.slice(at + 1)) });
    } catch (error) {
      await app.close();
      throw new ConfigError(
        "WEB_ADDRESS_UNUSABLE",
        `The HTTP server cannot listen at ${bindAddress} (${bindKey}): ${messageOf(error)}. Free the port, or configure another one`,
        { cause: error },
      );
    }
    this.#app = app;
    logger.info({ url: this.#url }, `${this.name} listens`);
  }

  /** Answers what it has, takes nothing more. */
  async stop(): Promise<void> {
    await this.#app?.close();
    this.#app = undefined;
  }
}
