import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DEFAULT_MAX_FRAME } from "@tasker-core/sdk/protocol";
import { type JoinAddress, parseJoinAddress } from "../bridge/index.js";
import { type Config, isLoopback } from "../config/index.js";
import { ConfigError, messageOf } from "../errors/index.js";
import { Secret } from "../lib/secret.js";
import type { JoinOptions } from "./joined-host.js";

/**
 * What `[worker.join]` says; null when nobody can join. A token file that is not there yet is made, readable by its
 * owner only.
 * @throws ConfigError JOIN_ADDRESS_INVALID, JOIN_ADDRESS_UNUSABLE (a TCP address that others reach needs TLS),
 *   JOIN_FILE_UNUSABLE
 */
export async function joinOptions(
  config: Config,
  workingDirectory: string,
): Promise<JoinOptions | null> {
  const { join } = config.worker;
  const addresses = join.addresses.map(parseJoinAddress);
  if (addresses.length === 0) return null;
  const path = (file: string): string => resolve(workingDirectory, file);
  const hasTls = join.tls_cert_file !== "";
  for (const address of addresses) assertPrivate(address, hasTls);
  return {
    addresses,
    tls: hasTls
      ? {
          cert: await readText("tls_cert_file", path(join.tls_cert_file)),
          key: await readText("tls_key_file", path(join.tls_key_file)),
        }
      : null,
    token: await readToken(path(join.token_file)),
    handshakeTimeoutMs: join.handshake_timeout_ms,
    maxProcesses: join.max_processes,
    maxFrame: DEFAULT_MAX_FRAME,
    pingMs: join.ping_ms,
    resumeMs: join.resume_ms,
    cancelGraceMs: join.cancel_grace_ms,
    drainGraceMs: join.drain_grace_ms,
  };
}

function assertPrivate(address: JoinAddress, hasTls: boolean): void {
  if (address.kind === "unix" || hasTls) return;
  const text = `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
  if (isLoopback(text)) return;
  throw new ConfigError(
    "JOIN_ADDRESS_UNUSABLE",
    `\`worker.join.addresses\` has tcp:${text}, which other machines reach: set \`worker.join.tls_cert_file\` and \`tls_key_file\`, or use 127.0.0.1 or a Unix socket`,
  );
}

const TOKEN_BYTES = 32;
const MIN_TOKEN_LENGTH = 16;

async function readToken(file: string): Promise<Secret> {
  await createToken(file);
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) {
    throw unusable("token_file", file, "others can read it: chmod 600");
  }
  const token = (await readText("token_file", file)).trim();
  if (token.length < MIN_TOKEN_LENGTH) {
    throw unusable("token_file", file, `expected at least ${MIN_TOKEN_LENGTH} characters`);
  }
  return new Secret(token);
}

/** Unless it is there. */
async function createToken(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, "wx", 0o600);
    await handle.writeFile(`${randomBytes(TOKEN_BYTES).toString("hex")}\n`);
    await handle.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw unusable("token_file", file, messageOf(error));
  }
}

async function readText(key: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw unusable(key, file, messageOf(error));
  }
}

function unusable(key: string, file: string, why: string): ConfigError {
  return new ConfigError(
    "JOIN_FILE_UNUSABLE",
    `\`worker.join.${key}\` = ${file} cannot be used: ${why}`,
    { context: { file } },
  );
}
