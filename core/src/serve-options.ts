import type { Engine } from "./bootstrap.js";
import { type Config, checkBind } from "./config/index.js";
import { ConfigError } from "./errors/index.js";
import type { Logger } from "./observability/index.js";

/** What both HTTP APIs are made of. */
export interface ServeOptions {
  readonly engine: Engine;
  readonly config: Config;
  readonly version: string;
  readonly logger: Logger;
  /** What relative paths in the configuration are relative to; default the process's. */
  readonly workingDirectory?: string;
}

/** @throws ConfigError BIND_UNSAFE when it would serve other machines without authentication */
export function checkedAddress(
  { config, logger }: ServeOptions,
  server: "orchestration" | "worker",
): void {
  const { verdict, message } = checkBind(config, server, "web");
  if (verdict === "refuse") throw new ConfigError("BIND_UNSAFE", message ?? "");
  if (verdict === "warn") logger.warn(message ?? "");
}
