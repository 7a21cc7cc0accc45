import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Config, defaultConfig } from "../../src/config/index.js";
import { Secret } from "../../src/lib/secret.js";
import { createLogger, silentLogger } from "../../src/observability/index.js";
import { createAuthenticator } from "../../src/web/index.js";

type Auth = Config["orchestration"]["web"]["auth"];

const folder = mkdtempSync(join(tmpdir(), "tasker-auth-"));
afterAll(() => rmSync(folder, { recursive: true }));

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();
const privatePem = rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pemOf = (pair: { publicKey: typeof rsa.publicKey }): string =>
  pair.publicKey.export({ type: "spki", format: "pem" }).toString();

const create = async (auth: Partial<Auth>, logger = silentLogger()) =>
  await createAuthenticator({
    auth: { ...defaultConfig().orchestration.web.auth, enabled: true, ...auth },
    table: "orchestration.web.auth",
    workingDirectory: folder,
    logger,
  });
const apiKey = (key: string, extra: object = {}) => ({
  key: new Secret(key),
  permissions: ["tasks:read"],
  description: "",
  ...extra,
});

describe("authentication from the configuration", () => {
  test("off: nobody is asked", async () => {
    expect(await create({ enabled: false })).toBeNull();
  });

  test("a public key as text, with `\\n` for line ends, or as a file relative to the project", async () => {
    writeFileSync(join(folder, "key.pem"), pem);
    expect(await create({ jwt_public_key: pem })).not.toBeNull();
    expect(await create({ jwt_public_key: pem.replaceAll("\n", "\\n") })).not.toBeNull();
    expect(await create({ jwt_public_key_path: "key.pem" })).not.toBeNull();
  });

  const MISTAKES: [what: string, auth: Partial<Auth>, message: RegExp][] = [
    [
      "nothing to authenticate with",
      {},
      /orchestration\.web\.auth\.enabled.*nothing.*jwt_public_key.*api_keys/,
    ],
    [
      "a key that is none",
      { jwt_public_key: "hello" },
      /auth\.jwt_public_key` cannot be used.*PEM/,
    ],
    ["a private key", { jwt_public_key: privatePem }, /private key/],
    ["a small key", { jwt_public_key: pemOf(small) }, /1024 bits; use at least 2048/],
    ["a key of another kind", { jwt_public_key: pemOf(ec) }, /type ec fits none.*RS256/],
    [
      "a file that is not there",
      { jwt_public_key_path: "no.pem" },
      /jwt_public_key_path` cannot be used.*ENOENT/,
    ],
    [
      "a shared-secret algorithm",
      { jwt_public_key: pem, jwt_allowed_algorithms: ["RS256", "HS256"] },
      /`HS256`, which is not accepted/,
    ],
    [
      "no algorithm",
      { jwt_public_key: pem, jwt_allowed_algorithms: [] },
      /jwt_allowed_algorithms` is empty/,
    ],
    ["the algorithm none", { jwt_public_key: pem, jwt_allowed_algorithms: ["none"] }, /`none`/],
    ["no issuer", { jwt_public_key: pem, jwt_issuer: "" }, /jwt_issuer` is empty/],
    ["no audience", { jwt_public_key: pem, jwt_audience: "" }, /jwt_audience` is empty/],
    ["jwks without a URL", { jwt_verification_method: "jwks" }, /jwks_url` is no URL/],
    [
      "jwks over http",
      { jwt_verification_method: "jwks", jwks_url: "http://x/jwks" },
      /must be https.*jwks_url_allow_http/,
    ],
    [
      "jwks from a file",
      {
        jwt_verification_method: "jwks",
        jwks_url: "file:///etc/passwd",
        jwks_url_allow_http: true,
      },
      /must be https/,
    ],
    [
      "jwks with a password",
      { jwt_verification_method: "jwks", jwks_url: "https://a:b@x/" },
      /must not contain a user name or password/,
    ],
    [
      "an unknown permission of a key",
      { api_keys: [apiKey("k".repeat(20), { permissions: ["task:read"] })] },
      /api_keys\[0\]\.permissions` has `task:read`/,
    ],
    [
      "a bare * for a key",
      { api_keys: [apiKey("k".repeat(20), { permissions: ["*"] })] },
      /has `\*`, which is no permission/,
    ],
    [
      "one key twice",
      { api_keys: [apiKey("k".repeat(20)), apiKey("k".repeat(20))] },
      /api_keys\[1\]` is the same key as .*api_keys\[0\]/,
    ],
  ];
  test.each(MISTAKES)("%s is refused, and the message says where", async (_, auth, message) => {
    const error: Error & { code?: string } = await create(auth).then(
      () => new Error("it was taken"),
      (thrown) => thrown,
    );
    expect(error.message).toMatch(message);
    expect(error.code).toBe("AUTH_UNUSABLE");
    for (const secret of ["k".repeat(20), privatePem.slice(40, 80)]) {
      expect(error.message).not.toContain(secret);
    }
  });

  test("without strict validation an unknown permission of a key is warned about", async () => {
    const lines: string[] = [];
    const logger = createLogger({ destination: { write: (line) => lines.push(line) } });
    const api_keys = [apiKey("short", { permissions: ["task:read"] })];
    expect(await create({ api_keys, strict_validation: false }, logger)).not.toBeNull();
    expect(lines.join("")).toContain("task:read");
    expect(lines.join("")).toContain("can be guessed");
    expect(lines.join("")).not.toContain('short"');
  });
});
