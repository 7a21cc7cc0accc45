import { z } from "zod";
import { Secret } from "../../lib/secret.js";
import { address, choice, flag, integer, secret, table, text, textList } from "./fields.js";

const apiKey = z.strictObject({
  key: z
    .string({ error: "text" })
    .min(1, { error: "text that is not empty" })
    .transform((content) => new Secret(content)),
  permissions: textList(),
  /** What it may see and act on; absent: every namespace. */
  namespaces: z
    .array(z.string({ error: "text" }), { error: "a list of texts" })
    .min(1, { error: "a list of at least one namespace, or absent for all of them" })
    .optional(),
  description: text(""),
});

function auth(defaults: { issuer: string; audience: string }) {
  return table({
    enabled: flag(false),
    /** Serve an address other than loopback without authentication; warns at every start. */
    allow_open: flag(false),
    jwt_issuer: text(defaults.issuer),
    jwt_audience: text(defaults.audience),
    jwt_token_expiry_hours: integer(1, 168, 24),
    jwt_private_key: secret(""),
    jwt_public_key: text(""),
    jwt_public_key_path: text(""),
    jwt_verification_method: choice(["public_key", "jwks"], "public_key"),
    jwt_allowed_algorithms: textList(["RS256"]),
    /** How far clocks may be apart for `exp`, `nbf` and `iat`. */
    jwt_leeway_seconds: integer(0, 300, 30),
    /** Longer tokens are refused unread. */
    jwt_max_token_bytes: integer(512, 16_384, 8192),
    jwks_url: text(""),
    jwks_refresh_interval_seconds: integer(1, 86_400, 3600),
    jwks_max_stale_seconds: integer(0, 86_400, 300),
    jwks_url_allow_http: flag(false),
    /** How long an unknown key id does not make the key set be fetched again. */
    jwks_cooldown_seconds: integer(1, 3600, 30),
    jwks_timeout_ms: integer(100, 60_000, 5000),
    permissions_claim: text("permissions"),
    /** Namespaces that a token is limited to; a token without the claim is not limited. */
    namespaces_claim: text("namespaces"),
    strict_validation: flag(true),
    log_unknown_permissions: flag(true),
    api_key: secret(""),
    api_key_header: text("X-API-Key"),
    api_keys: z.array(apiKey, { error: "a list of tables" }).default([]),
  });
}

export interface WebDefaults {
  readonly address: string;
  readonly issuer: string;
  readonly audience: string;
  readonly poolSize: number;
  readonly maxConnections: number;
  readonly connectionsHint: number;
}

export function web(defaults: WebDefaults) {
  return table({
    enabled: flag(true),
    bind_address: address(defaults.address),
    request_timeout_ms: integer(100, 300_000, 30_000),
    /** Larger requests are refused with 413. */
    body_limit_bytes: integer(1024, 67_108_864, 4_194_304),
    /** Adds `/config` (secrets redacted). */
    config_endpoint_enabled: flag(false),
    database_pools: table({
      web_api_pool_size: integer(1, 1000, defaults.poolSize),
      web_api_max_connections: integer(1, 1000, defaults.maxConnections),
      web_api_connection_timeout_seconds: integer(1, 300, 30),
      web_api_idle_timeout_seconds: integer(1, 3600, 600),
      max_total_connections_hint: integer(1, 10_000, defaults.connectionsHint),
    }),
    auth: auth(defaults),
  });
}

export function grpc(defaults: { address: string; streams: number }) {
  return table({
    enabled: flag(true),
    bind_address: address(defaults.address),
    tls_enabled: flag(false),
    keepalive_interval_seconds: integer(1, 3600, 30),
    keepalive_timeout_seconds: integer(1, 300, 20),
    max_concurrent_streams: integer(1, 10_000, defaults.streams),
    max_frame_size: integer(16_384, 16_777_215, 16_384),
    enable_reflection: flag(true),
    enable_health_service: flag(true),
  });
}
