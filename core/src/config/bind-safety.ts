import type { Config } from "./schema/index.js";

export interface BindVerdict {
  readonly verdict: "safe" | "warn" | "refuse";
  /** What to tell the operator; null when safe. */
  readonly message: string | null;
}

/**
 * Whether a server may listen where its configuration says. An address other than loopback without
 * authentication is refused, unless `auth.allow_open` or the compatibility profile says otherwise; then it
 * is to be warned about at every start.
 */
export function checkBind(
  config: Config,
  server: "orchestration" | "worker",
  api: "web" | "grpc",
): BindVerdict {
  const { auth } = config[server].web;
  const address = config[server][api].bind_address;
  if (auth.enabled || isLoopback(address)) return { verdict: "safe", message: null };
  const open = `\`${server}.${api}.bind_address\` = ${address} serves every network without authentication`;
  if (auth.allow_open || config.compatibility.profile === "tasker-core") {
    return { verdict: "warn", message: open };
  }
  return {
    verdict: "refuse",
    message:
      `${open}: set \`${server}.web.auth.enabled = true\`, bind 127.0.0.1, ` +
      `or accept it with \`${server}.web.auth.allow_open = true\``,
  };
}

/** Whether `host:port` can only be reached from this machine. */
export function isLoopback(address: string): boolean {
  const host = address
    .slice(0, address.lastIndexOf(":"))
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  return host === "localhost" || host === "::1" || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(host);
}
