import { ConfigError } from "../errors/index.js";

/** Where handler processes that were started elsewhere find this host (BRIDGE section 2). */
export type JoinAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/**
 * Reads `unix:/path` or `tcp:host:port`.
 * @throws ConfigError JOIN_ADDRESS_INVALID
 */
export function parseJoinAddress(text: string): JoinAddress {
  if (text.startsWith("unix:") && text.length > "unix:".length) {
    return { kind: "unix", path: text.slice("unix:".length) };
  }
  const tcp = /^tcp:(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(tcp?.[3]);
  if (tcp !== null && port <= 65_535) return { kind: "tcp", host: tcp[1] ?? tcp[2] ?? "", port };
  throw new ConfigError(
    "JOIN_ADDRESS_INVALID",
    `\`${text}\` is no address for handler processes: expected unix:/path or tcp:host:port`,
  );
}

/** As handler processes name it in `TASKER_BRIDGE`. */
export function formatJoinAddress(address: JoinAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `tcp:${host}:${address.port}`;
}
