#!/usr/bin/env node
/**
 * The handler process: `npx tasker-worker --handlers <directory or file>`. `TASKER_BRIDGE` names the channel to its host;
 * a worker that starts it sets that. Standard output and standard error stay ordinary text.
 */
import { parseArgs } from "node:util";
import { isDialled, parseBridgeAddress } from "./bridge/channel.js";
import { complain } from "./stderr.js";
import { messageOf } from "./thrown.js";
import { SDK_VERSION } from "./version.js";
import { WorkerServer } from "./worker/worker-server.js";

const USAGE = `Usage: tasker-worker --handlers <path> [options]

Runs Tasker step handlers written in TypeScript or JavaScript, on Node, Bun or Deno.

  --handlers <path>    directory or file with handlers; may be repeated (default: $TYPESCRIPT_HANDLER_PATH)
  --join <address>     unix:<path> or tcp:<host>:<port> of a worker with --join (default: $TASKER_BRIDGE)
  --join-token <file>  file with the host's token (default: $TASKER_BRIDGE_TOKEN_FILE)
  --slots <n>          steps running at once (default: 10)
  --pool <name>        name of the pool (default: default)
  --worker-id <name>   name of this process in logs
  --version, --help`;

const EXIT_USAGE = 64;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      handlers: { type: "string", multiple: true },
      join: { type: "string" },
      "join-token": { type: "string" },
      slots: { type: "string" },
      pool: { type: "string" },
      "worker-id": { type: "string" },
      version: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help || values.version) {
    process.stdout.write(`${values.help ? USAGE : SDK_VERSION}\n`);
    return 0;
  }
  const address = values.join ?? process.env["TASKER_BRIDGE"];
  if (address === undefined) {
    throw new RangeError(
      "no host: give --join unix:<path> or tcp:<host>:<port> of a worker that was started with --join",
    );
  }
  const isSocket = isDialled(parseBridgeAddress(address));
  if (values["join-token"] !== undefined) {
    process.env["TASKER_BRIDGE_TOKEN_FILE"] = values["join-token"];
  }
  const server = new WorkerServer();
  stopOnSignals(server);
  await server.start({
    address,
    ...(values.handlers === undefined ? {} : { handlers: values.handlers }),
    ...(values.pool === undefined ? {} : { pool: values.pool }),
    ...(values["worker-id"] === undefined ? {} : { workerId: values["worker-id"] }),
    maxConcurrentHandlers: slotsOf(values.slots),
  });
  const why = await server.untilClosed();
  await server.shutdown();
  const isOrderly = why === "drained" || why === "the host said goodbye";
  if (!isOrderly && isSocket) complain(`tasker-worker: ${why}`);
  return isOrderly ? 0 : 1;
}

function slotsOf(text: string | undefined): number {
  const slots = Number(text ?? "10");
  if (Number.isInteger(slots) && slots >= 1) return slots;
  throw new RangeError(`--slots takes a whole number of at least 1, got ${text}`);
}

function stopOnSignals(server: WorkerServer): void {
  let count = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      // The first lets running steps finish, a second asks them to stop.
      if (++count === 1) void server.shutdown();
      else void server.interrupt();
    });
  }
}

let code: number;
try {
  code = await main();
} catch (error) {
  complain(`tasker-worker: ${messageOf(error)}`);
  code = error instanceof RangeError || error instanceof TypeError ? EXIT_USAGE : 1;
}
// A handler that hangs, or a read that cannot be taken back, must not keep the process.
process.exit(code);
