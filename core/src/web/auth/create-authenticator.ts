import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Config } from "../../config/index.js";
import { ConfigError, messageOf } from "../../errors/index.js";
import type { Logger } from "../../observability/index.js";
import { type ApiKeyEntry, ApiKeys, keyFingerprint } from "./api-keys.js";
import { Authenticator } from "./authenticator.js";
import { JwksCache } from "./jwks.js";
import { type JwtKeys, JwtVerifier } from "./jwt-verifier.js";
import { isKnownPermission, PERMISSIONS } from "./permissions.js";
import { ASYMMETRIC_ALGORITHMS, readPublicKey } from "./public-key.js";

type AuthConfig = Config["orchestration"]["web"]["auth"];

export interface CreateAuthenticatorOptions {
  readonly auth: AuthConfig;
  /** The table it is configured in, for messages: `orchestration.web.auth`. */
  readonly table: string;
  /** What a relative path of a key is relative to. */
  readonly workingDirectory: string;
  readonly logger: Logger;
}

/** A key that people can remember can be guessed. */
const MIN_KEY_LENGTH = 16;

/**
 * From the configuration; null when authentication is off.
 * @throws ConfigError AUTH_UNUSABLE naming the key that is missing or wrong
 */
export async function createAuthenticator(
  options: CreateAuthenticatorOptions,
): Promise<Authenticator | null> {
  const { auth, table, logger } = options;
  if (!auth.enabled) return null;
  const apiKeys = new ApiKeys(keyEntries(options));
  const keys = await jwtKeys(options);
  if (keys === null && apiKeys.count === 0) {
    throw unusable(
      `\`${table}.enabled\` is true, but there is nothing to authenticate with: set \`jwt_public_key\`, ` +
        "`jwt_public_key_path` or `jwks_url`, or list `api_keys`, in the same table",
    );
  }
  const settings = {
    algorithms: auth.jwt_allowed_algorithms,
    issuer: auth.jwt_issuer,
    audience: auth.jwt_audience,
    leewaySeconds: auth.jwt_leeway_seconds,
    maxTokenBytes: auth.jwt_max_token_bytes,
    permissionsClaim: auth.permissions_claim,
    namespacesClaim: auth.namespaces_claim,
    isStrict: auth.strict_validation,
    logsUnknown: auth.log_unknown_permissions,
  };
  return new Authenticator({
    jwt: keys === null ? null : new JwtVerifier(settings, keys, logger),
    apiKeys,
    apiKeyHeader: auth.api_key_header,
    logger,
  });
}

async function jwtKeys(options: CreateAuthenticatorOptions): Promise<JwtKeys | null> {
  const { auth, table } = options;
  const keys = auth.jwt_verification_method === "jwks" ? jwks(options) : await publicKey(options);
  if (keys === null) return null;
  for (const key of ["jwt_issuer", "jwt_audience"] as const) {
    if (auth[key] !== "") continue;
    throw unusable(
      `\`${table}.${key}\` is empty: tokens made for others would be accepted. Set it to what the issuer puts into its tokens`,
    );
  }
  return keys;
}

function jwks({ auth, table, logger }: CreateAuthenticatorOptions): JwksCache {
  checkAlgorithms(auth, table);
  const { jwks_url: url, jwks_url_allow_http: allowsHttp } = auth;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) {
    throw unusable(
      `\`${table}.jwt_verification_method\` is "jwks", but \`${table}.jwks_url\` is no URL: \`${url}\``,
    );
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw unusable(`\`${table}.jwks_url\` must not contain a user name or password`);
  }
  if (parsed.protocol !== "https:" && !(allowsHttp && parsed.protocol === "http:")) {
    throw unusable(
      `\`${table}.jwks_url\` must be https: anybody on the way could put in keys of their own. ` +
        `For tests on this machine: \`${table}.jwks_url_allow_http = true\``,
    );
  }
  return new JwksCache({
    url,
    refreshMs: auth.jwks_refresh_interval_seconds * 1000,
    maxStaleMs: auth.jwks_max_stale_seconds * 1000,
    cooldownMs: auth.jwks_cooldown_seconds * 1000,
    timeoutMs: auth.jwks_timeout_ms,
    now: () => performance.now(),
    logger,
  });
}

async function publicKey({ auth, table, workingDirectory }: CreateAuthenticatorOptions) {
  const key = auth.jwt_public_key === "" ? "jwt_public_key_path" : "jwt_public_key";
  if (auth[key] === "") return null;
  checkAlgorithms(auth, table);
  try {
    const pem =
      key === "jwt_public_key"
        ? auth.jwt_public_key
        : await readFile(resolve(workingDirectory, auth.jwt_public_key_path), "utf8");
    return readPublicKey(pem, auth.jwt_allowed_algorithms);
  } catch (error) {
    throw unusable(`\`${table}.${key}\` cannot be used: ${messageOf(error)}`, error);
  }
}

function checkAlgorithms(auth: AuthConfig, table: string): void {
  const key = `\`${table}.jwt_allowed_algorithms\``;
  if (auth.jwt_allowed_algorithms.length === 0) throw unusable(`${key} is empty`);
  for (const algorithm of auth.jwt_allowed_algorithms) {
    if (ASYMMETRIC_ALGORITHMS.includes(algorithm)) continue;
    throw unusable(
      `${key} has \`${algorithm}\`, which is not accepted with public keys; expected of ${ASYMMETRIC_ALGORITHMS.join(", ")}`,
    );
  }
}

function keyEntries({ auth, table, logger }: CreateAuthenticatorOptions): ApiKeyEntry[] {
  const listed = auth.api_keys.map(({ key, permissions, namespaces, description }, index) => {
    const at = `${table}.api_keys[${index}]`;
    checkKeyPermissions(permissions, at, auth, logger);
    return { key: key.reveal(), permissions, namespaces, description, at };
  });
  // The older single key may do everything: it comes from a time without permissions.
  const single = auth.api_key.isEmpty
    ? []
    : [
        {
          key: auth.api_key.reveal(),
          permissions: null,
          namespaces: undefined,
          description: "api_key",
          at: `${table}.api_key`,
        },
      ];
  const seen = new Map<string, string>();
  return [...listed, ...single].map(({ key, permissions, namespaces, description, at }) => {
    const fingerprint = keyFingerprint(key);
    const before = seen.get(fingerprint);
    if (before !== undefined) throw unusable(`\`${at}\` is the same key as \`${before}\``);
    seen.set(fingerprint, at);
    if (key.length < MIN_KEY_LENGTH) {
      logger.warn(`\`${at}\` has ${key.length} characters: a key that short can be guessed`);
    }
    return {
      key,
      principal: {
        name: `api-key:${description === "" ? fingerprint : description}`,
        permissions: permissions === null ? "all" : new Set(permissions.filter(isKnownPermission)),
        namespaces: namespaces ?? null,
      },
    };
  });
}

function checkKeyPermissions(
  permissions: readonly string[],
  at: string,
  auth: AuthConfig,
  logger: Logger,
): void {
  const unknown = permissions.filter((permission) => !isKnownPermission(permission));
  if (unknown.length === 0) return;
  const message =
    `\`${at}.permissions\` has ${unknown.map((one) => `\`${one}\``).join(", ")}, which is no permission; ` +
    `expected of ${PERMISSIONS.join(", ")}, or \`<resource>:*\``;
  if (auth.strict_validation) throw unusable(message);
  if (auth.log_unknown_permissions) logger.warn(message);
}

function unusable(message: string, cause?: unknown): ConfigError {
  return new ConfigError("AUTH_UNUSABLE", message, cause === undefined ? {} : { cause });
}
