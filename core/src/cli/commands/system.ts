import { objectOf, shown } from "../client/api.js";
import { clientConfig } from "../client/open-api.js";
import { RestApi } from "../client/rest-api.js";
import type { CommandContext } from "../command-context.js";
import { describeError } from "../describe-error.js";
import { EXIT } from "../exit-codes.js";
import { renderTable } from "../render/table.js";
import { packageVersion } from "../version.js";

export interface SystemHealthOptions {
  readonly orchestration?: boolean;
  readonly workers?: boolean;
}

/** `tasker system health`: what the servers say of themselves; exit code 1 unless all are healthy. */
export async function systemHealth(
  context: CommandContext,
  { orchestration, workers }: SystemHealthOptions,
): Promise<number> {
  const { output } = context;
  const config = clientConfig(context);
  const isBoth = orchestration !== true && workers !== true;
  const parts = [
    ...(isBoth || orchestration === true ? [["orchestration", config.orchestration] as const] : []),
    ...(isBoth || workers === true ? [["worker", config.worker] as const] : []),
  ];
  const found = await Promise.all(
    parts.map(async ([name, endpoint]) => {
      const api = new RestApi(endpoint);
      try {
        const answer = objectOf(
          await api.call("GET", "/health/detailed", { intent: `ask the ${name} server` }),
        );
        return { server: name, url: api.place, status: shown(answer["status"]), detail: answer };
      } catch (error) {
        const { message } = describeError(error);
        return { server: name, url: api.place, status: "unreachable", detail: { message } };
      }
    }),
  );
  output.json({ servers: found });
  for (const { server, url, status, detail } of found) {
    output.print(`${server}  ${url}  ${status}`);
    const checks = objectOf("checks" in detail ? detail["checks"] : undefined);
    const rows = Object.entries(checks).map(([name, check]) => [
      `  ${name}`,
      shown(objectOf(check)["status"]),
      shown(objectOf(check)["message"]),
    ]);
    if (rows.length > 0) output.print(renderTable(rows).join("\n"));
    if (status === "unreachable") output.print(`  ${String(detail["message"])}`);
  }
  return found.every(({ status }) => status === "healthy") ? EXIT.ok : EXIT.failed;
}

/** `tasker system info` */
export async function systemInfo(context: CommandContext): Promise<number> {
  const { output } = context;
  const { transport, orchestration, worker } = clientConfig(context);
  const info = {
    version: packageVersion(),
    node: process.version,
    transport,
    orchestration_url: orchestration.base_url,
    worker_url: worker.base_url,
  };
  output.print(renderTable(Object.entries(info).map(([key, value]) => [key, value])).join("\n"));
  output.json(info);
  return EXIT.ok;
}
