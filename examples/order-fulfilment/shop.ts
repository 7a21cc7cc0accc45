import { fileURLToPath } from "node:url";
import { HandlerRegistry } from "@tasker-core/sdk/host";
import { Engine } from "../../core/src/bootstrap.js";
import { loadConfig } from "../../core/src/config/index.js";
import type { TaskTemplate } from "../../core/src/model/index.js";
import type { Logger } from "../../core/src/observability/index.js";
import { loadTemplateFile } from "../../core/src/templates/index.js";
import { bridgeLanguages } from "../../core/src/worker/bridge-languages.js";
import { HandlerLoader } from "../../core/src/worker/handler-loader.js";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

export const ORDER_TASK = { name: "order_fulfilment", namespace: "shop", version: "1.0.0" };

export interface ShopOptions {
  readonly databaseUrl: string;
  readonly logger: Logger;
  /** How long a step belongs to a worker that gives no sign of life. */
  readonly leaseSeconds?: number;
}

export interface Shop {
  readonly engine: Engine;
  readonly template: TaskTemplate;
  close(): Promise<void>;
}

/** The order workflow: its template, TypeScript handlers in this process, one Python and one Ruby process. */
export async function openShop({ databaseUrl, logger, leaseSeconds }: ShopOptions): Promise<Shop> {
  const { config } = loadConfig({
    env: {},
    workingDirectory: FOLDER,
    overrides: {
      worker: { python: { slots: 32 }, ruby: { slots: 32 } },
      ...(leaseSeconds === undefined ? {} : { lease: { lease_seconds: leaseSeconds } }),
    },
  });
  const { template, diagnostics } = await loadTemplateFile(`${FOLDER}order_fulfilment.yaml`);
  if (template === null) throw new Error(diagnostics.map(({ message }) => message).join("\n"));

  const handlers = new HandlerRegistry();
  const loader = new HandlerLoader(handlers);
  const { problems } = await loader.load([`${FOLDER}handlers/typescript`]);
  const [problem] = problems;
  if (problem !== undefined) throw problem;

  const bridges = await bridgeLanguages({
    config,
    env: process.env,
    workingDirectory: FOLDER,
    paths: { python: [`${FOLDER}handlers/python`], ruby: [`${FOLDER}handlers/ruby`] },
  });
  const engine = new Engine({
    databaseUrl,
    config,
    logger,
    templates: [template],
    handlers,
    bridges,
    migrate: true,
  });
  await engine.start();
  return {
    engine,
    template,
    close: async () => {
      await engine.stop();
      await loader.close();
    },
  };
}
