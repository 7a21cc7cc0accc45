import type { CommandContext } from "../command-context.js";
import { type HostOptions, runHost } from "../run-host.js";

/** `tasker server`: settles results and creates tasks, runs no steps. */
export async function server(context: CommandContext, options: HostOptions): Promise<number> {
  return await runHost(context, options, "server");
}
