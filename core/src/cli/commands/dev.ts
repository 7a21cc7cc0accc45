import type { CommandContext } from "../command-context.js";
import { type HostOptions, runHost } from "../run-host.js";

/** `tasker dev`: everything in one process, with changed sources live at once. */
export async function dev(context: CommandContext, options: HostOptions): Promise<number> {
  return await runHost(context, options, "all");
}
