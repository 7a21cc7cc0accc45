import { createServer } from "node:net";
import { messageOf } from "../errors/index.js";
import { CliError } from "./cli-error.js";
import { EXIT } from "./exit-codes.js";

/** Null when a server could listen on `host:port` now. */
export async function portProblem(address: string, key: string): Promise<CliError | null> {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(at + 1));
  return await new Promise((settle) => {
    const server = createServer();
    server.once("error", (error) => settle(notFree(address, key, error)));
    server.listen({ host, port }, () => server.close(() => settle(null)));
  });
}

function notFree(address: string, key: string, error: Error): CliError {
  const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
  const why = isTaken ? "another process listens there" : messageOf(error);
  const fix = `stop that process, or choose another address: ${key}, TASKER_WEB_BIND_ADDRESS`;
  return new CliError(
    "ADDRESS_IN_USE",
    EXIT.environment,
    `${address} cannot be used: ${why}; ${fix}`,
  );
}
