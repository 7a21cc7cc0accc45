import type { CommandContext } from "../command-context.js";
import { type HostOptions, runHost } from "../run-host.js";

/** `tasker worker`: runs steps and hands their results to the servers. */
export async function worker(context: CommandContext, options: HostOptions): Promise<number> {
  return await runHost(context, options, "worker");
}
