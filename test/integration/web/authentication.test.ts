import { createHash, generateKeyPairSync } from "node:crypto";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Secret } from "../../../core/src/lib/secret.js";
import { createLogger } from "../../../core/src/observability/index.js";
import { PERMISSIONS, type Permission } from "../../../core/src/web/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { Issuer } from "./issuer.js";
import { TestApi } from "./support.js";

/** contract/rest.md section 1: who may ask what, through real HTTP. */
const database = useTestDatabase({ maxConnections: 3 });
const issuer = new Issuer();
const stranger = new Issuer();
const log: string[] = [];
const startedAt = performance.now();
let host: TestEngine;
let api: TestApi;

const OLD_KEY = "old-key-0123456789abcdef";
const NEW_KEY = "new-key-0123456789abcdef";
const LEGACY_KEY = "legacy-key-0123456789abcdef";
const UUID = "0197a1b2-0000-7000-8000-000000000000";

beforeAll(async () => {
  host = await startTestEngine({ databaseUrl: database.url, templates: {}, handlers: {} });
  api = await TestApi.start(
    host,
    ({ orchestration: { web } }) => {
      Object.assign(web.auth, {
        enabled: true,
        jwt_public_key: issuer.pem,
        api_key: new Secret(LEGACY_KEY),
        api_keys: [
          { key: new Secret(OLD_KEY), permissions: ["tasks:list"], description: "old" },
          {
            key: new Secret(`sha256:${createHash("sha256").update(NEW_KEY).digest("hex")}`),
            permissions: ["tasks:*"],
            description: "new",
          },
        ],
      });
    },
    createLogger({ level: "info", destination: { write: (line) => log.push(line) } }),
  );
});
afterAll(async () => {
  await api?.server.stop();
  await host?.engine.stop();
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const ask = async (headers: Record<string, string>, path = "/v1/tasks") =>
  await api.call("GET", path, undefined, headers);

const now = () => Math.floor(Date.now() / 1000);
const json = JSON.stringify;

const HOSTILE: Readonly<Record<string, () => string>> = {
  "alg none, no signature": () => issuer.unsigned("none"),
  "alg None": () => issuer.unsigned("None"),
  "alg none with a signature": () => issuer.unsigned("none", "c2lnbmF0dXJl"),
  "alg absent": () => issuer.token({}, { headerText: json({ typ: "JWT" }) }),
  "alg empty": () => issuer.token({}, { header: { alg: "" } }),
  "alg a number": () => issuer.token({}, { header: { alg: 256 } }),
  "HS256 signed with the public key's PEM": () => issuer.hmacToken(issuer.pem),
  "HS256 signed with the PEM without its last line end": () => issuer.hmacToken(issuer.pem.trim()),
  "HS512 signed with the public key's PEM": () => issuer.hmacToken(issuer.pem, "sha512"),
  "HS256 signed with the key's modulus": () =>
    issuer.hmacToken(String(issuer.publicKey.export({ format: "jwk" }).n)),
  "RS512, which is not allowed here": () => issuer.token({}, { header: { alg: "RS512" } }),
  "PS256, which is not allowed here": () => issuer.token({}, { header: { alg: "PS256" } }),
  "signed by somebody else": () => stranger.token(),
  "signed with an elliptic curve under the name RS256": () =>
    issuer.token({}, { key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey }),
  "signature of another token": () =>
    `${issuer.token().split(".").slice(0, 2).join(".")}.${issuer.token({ sub: "bob" }).split(".")[2]}`,
  "payload exchanged after signing": () => {
    const [head, , signature] = issuer.token().split(".");
    const payload = Buffer.from(json(issuer.claims({ sub: "root" }))).toString("base64url");
    return `${head}.${payload}.${signature}`;
  },
  "one bit of the signature turned": () => {
    const [head, payload, signature = ""] = issuer.token().split(".");
    const bytes = Buffer.from(signature, "base64url");
    bytes[10] = (bytes[10] ?? 0) ^ 1;
    return `${head}.${payload}.${bytes.toString("base64url")}`;
  },
  "no signature": () => `${issuer.token().split(".").slice(0, 2).join(".")}.`,
  "another audience": () => issuer.token({ aud: "worker-api" }),
  "no audience": () => issuer.token({ aud: undefined }),
  "a list of other audiences": () => issuer.token({ aud: ["a", "b"] }),
  "another issuer": () => issuer.token({ iss: "tasker-core.evil.example" }),
  "no issuer": () => issuer.token({ iss: undefined }),
  expired: () => issuer.token({ exp: now() - 3600 }),
  "expired a minute ago, beyond the leeway": () => issuer.token({ exp: now() - 60 }),
  "without expiry": () => issuer.token({ exp: undefined }),
  "expiry as text": () => issuer.token({ exp: "2099-01-01" }),
  "not valid yet": () => issuer.token({ nbf: now() + 3600 }),
  "issued in the future": () => issuer.token({ iat: now() + 3600 }),
  "a path as key id": () => issuer.token({}, { header: { kid: "../../../../dev/null" } }),
  "an absolute path as key id": () => issuer.token({}, { header: { kid: "/etc/passwd" } }),
  "a URL as key id": () => issuer.token({}, { header: { kid: "https://evil.example/key" } }),
  "SQL as key id": () => issuer.token({}, { header: { kid: "x' UNION SELECT 'key" } }),
  "a key id that is an object": () => issuer.token({}, { header: { kid: { a: 1 } } }),
  "jku: where to get a key": () =>
    issuer.token({}, { header: { jku: "https://evil.example/jwks.json" } }),
  "x5u: where to get a certificate": () =>
    issuer.token({}, { header: { x5u: "https://evil.example/cert.pem" } }),
  "jwk: brings its own key, and is signed with it": () =>
    stranger.token({}, { header: { jwk: stranger.jwk("own") } }),
  "jwk, though signed with the right key": () =>
    issuer.token({}, { header: { jwk: issuer.jwk("own") } }),
  "x5c: brings a certificate": () => issuer.token({}, { header: { x5c: ["MIIB"] } }),
  "crit with an extension that nobody knows": () =>
    issuer.token({}, { header: { crit: ["exp-2"], "exp-2": 1 } }),
  "crit empty": () => issuer.token({}, { header: { crit: [] } }),
  "b64 false": () => issuer.token({}, { header: { crit: ["b64"], b64: false } }),
  "typ of a logout token": () => issuer.token({}, { header: { typ: "logout+jwt" } }),
  "typ of an identity proof": () => issuer.token({}, { header: { typ: "dpop+jwt" } }),
  "a token within a token": () => issuer.token({}, { header: { cty: "JWT" } }),
  "a claim twice": () =>
    issuer.token({}, { payloadText: `{"aud":"other",${json(issuer.claims()).slice(1)}` }),
  "a header twice": () =>
    issuer.token({}, { headerText: '{"alg":"none","alg":"RS256","typ":"JWT"}' }),
  "a key twice, once with an escape": () =>
    issuer.token({}, { payloadText: `{"\\u0061ud":"other",${json(issuer.claims()).slice(1)}` }),
  "payload that is no JSON": () => issuer.token({}, { payloadText: "sub=alice" }),
  "payload that is a list": () => issuer.token({}, { payloadText: "[]" }),
  "payload that is null": () => issuer.token({}, { payloadText: "null" }),
  "payload nested too deep": () =>
    issuer.token({}, { payloadText: `{"a":${"[".repeat(500)}${"]".repeat(500)}}` }),
  "permissions that are an object": () => issuer.token({ permissions: { "tasks:*": true } }),
  "permissions with a number": () => issuer.token({ permissions: ["tasks:list", 1] }),
  "an unknown permission": () => issuer.token({ permissions: ["tasks:list", "tasks:fly"] }),
  "the permission `*`": () => issuer.token({ permissions: ["*"] }),
  "the permission `*:*`": () => issuer.token({ permissions: ["*:*"] }),
  "namespaces that are a number": () => issuer.token({ namespaces: 1 }),
  "subject that is an object": () => issuer.token({ sub: { admin: true } }),
  "larger than allowed": () => issuer.token({ note: "x".repeat(9000) }),
  "two parts": () => issuer.token().split(".").slice(0, 2).join("."),
  "four parts": () => `${issuer.token()}.x`,
  "five parts, as an encrypted token": () => "eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn",
  "dots only": () => "..",
  "not base64url": () => issuer.token().replace(".", ".!"),
  "base64 with padding": () => issuer.token().replace(".", "==."),
  "the middle of another encoding": () => issuer.token().replace(/\.(.)/, ".$1+/"),
  "an API key as a token": () => NEW_KEY,
};

describe("hostile tokens", () => {
  test("there are at least 30", () => {
    expect(Object.keys(HOSTILE).length).toBeGreaterThanOrEqual(30);
  });

  test.each(Object.entries(HOSTILE))("%s", async (_, make) => {
    // A good key beside it does not help: the token comes first.
    const answer = await ask({ ...bearer(make()), "x-api-key": NEW_KEY });
    expect(answer.status, answer.text).toBe(401);
    expect(answer.body).toEqual({
      error: { code: "AUTHENTICATION_FAILED", message: "Invalid or expired token" },
    });
    expect(answer.headers.get("x-auth-failure-reason")).toBe("invalid");
    expect(answer.headers.get("x-auth-failure-severity")).toBe("high");
    expect(answer.headers.get("retry-after")).toBe("60");
  });

  test("what is good is taken: the table above does not just refuse everything", async () => {
    const good = [
      issuer.token(),
      issuer.token({ aud: ["other", "tasker-api"] }),
      issuer.token({ exp: now() - 10 }), // within the leeway
      issuer.token({ nbf: now() + 10 }),
      issuer.token({ permissions: "tasks:list templates:read" }),
      issuer.token({}, { header: { kid: "2026-01/a+b=" } }),
      issuer.token({}, { header: { typ: "at+jwt" } }),
      issuer.token({}, { headerText: '{"alg":"RS256"}' }),
    ];
    for (const token of good) expect((await ask(bearer(token))).status).toBe(200);
    expect((await ask({ authorization: `bearer  ${good[0]}` })).status).toBe(200);
  });
});

describe("credentials that are absent, malformed or wrong", () => {
  test("none: 401, and nothing to wait for", async () => {
    const answer = await ask({});
    expect(answer.status).toBe(401);
    expect(answer.body.error).toEqual({
      code: "AUTHENTICATION_FAILED",
      message: "Missing authentication credentials",
    });
    expect(answer.headers.get("x-auth-failure-reason")).toBe("missing");
    expect(answer.headers.get("x-auth-failure-severity")).toBe("low");
    expect(answer.headers.get("retry-after")).toBeNull();
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  });

  test.each(["Basic YTpi", "Bearer", "Bearer ", "Bearer a b", "Token x"])(
    "`%s` is malformed",
    async (authorization) => {
      const answer = await ask({ authorization, "x-api-key": NEW_KEY });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("x-auth-failure-reason")).toBe("malformed");
      expect(answer.headers.get("x-auth-failure-severity")).toBe("high");
    },
  );

  test("a wrong key, also one that only begins right, and the hash of a right one", async () => {
    const hash = `sha256:${createHash("sha256").update(NEW_KEY).digest("hex")}`;
    for (const key of ["nonsense", `${NEW_KEY}x`, NEW_KEY.slice(0, -1), hash]) {
      const answer = await ask({ "x-api-key": key });
      expect(answer.status).toBe(401);
      expect(answer.body.error.message).toBe("Invalid API key");
      expect(answer.headers.get("x-auth-failure-reason")).toBe("invalid");
      expect(answer.headers.get("retry-after")).toBe("60");
    }
  });
});

describe("keys", () => {
  test("the old and the new one are in force together, each with its permissions", async () => {
    expect((await ask({ "x-api-key": OLD_KEY })).status).toBe(200);
    expect((await ask({ "x-api-key": NEW_KEY })).status).toBe(200);
    expect((await ask({ "x-api-key": OLD_KEY }, `/v1/tasks/${UUID}`)).status).toBe(403);
    expect((await ask({ "x-api-key": NEW_KEY }, `/v1/tasks/${UUID}`)).status).toBe(404);
  });

  test("the single key of older configurations may do everything", async () => {
    for (const path of ["/v1/tasks", "/v1/dlq/stats", "/v1/templates", "/v1/analytics/performance"])
      expect((await ask({ "x-api-key": LEGACY_KEY }, path)).status).toBe(200);
  });
});

interface Operation {
  readonly "x-permission"?: Permission;
}
type Paths = Record<string, Record<string, Operation>>;

describe("every role on every route", () => {
  test("is let in exactly where the declared permission says", async () => {
    const { body } = await api.call("GET", "/api-docs/openapi.json");
    const operations = Object.entries(body.paths as Paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path: path.replace(/\{\w*uuid\}/g, UUID).replace(/\{\w+\}/g, "x"),
        permission: operation["x-permission"],
      })),
    );
    const guarded = operations.filter(({ permission }) => permission !== undefined);
    expect(guarded.length).toBeGreaterThan(15);
    const roles: Record<string, (permission: Permission) => string[]> = {
      exactly: (permission) => [permission],
      "all of the resource": (permission) => [`${permission.split(":")[0]}:*`],
      "everything else": (permission) => PERMISSIONS.filter((one) => one !== permission),
      "other resources": (permission) =>
        PERMISSIONS.filter((one) => !one.startsWith(`${permission.split(":")[0]}:`)),
      nothing: () => [],
    };
    for (const { method, path, permission = "tasks:read" } of guarded) {
      expect((await api.call(method, path)).status, `${method} ${path}`).toBe(401);
      for (const [role, permissionsOf] of Object.entries(roles)) {
        const permissions = permissionsOf(permission);
        const answer = await api.call(
          method,
          path,
          undefined,
          bearer(issuer.token({ permissions })),
        );
        const what = `${method} ${path} with ${role}: ${answer.text}`;
        if (role === "exactly" || role === "all of the resource") {
          expect([200, 404, 415], what).toContain(answer.status);
          continue;
        }
        expect(answer.status, what).toBe(403);
        expect(answer.body.error).toEqual({
          code: "AUTHORIZATION_FAILED",
          message: `Missing required permission: ${permission}`,
        });
        expect(answer.headers.get("x-auth-failure-reason")).toBe("forbidden");
        expect(answer.headers.get("x-auth-failure-severity")).toBe("medium");
        expect(answer.headers.get("retry-after")).toBe("5");
      }
    }
    const open = operations.filter(({ permission }) => permission === undefined);
    for (const { method, path } of open) {
      expect(path).toMatch(/^\/(health|metrics|api-docs)/);
      expect([200, 503]).toContain((await api.call(method, path)).status);
    }
  });

  test("HEAD is guarded like GET", async () => {
    expect((await api.call("HEAD", "/v1/tasks")).status).toBe(401);
    expect((await api.call("HEAD", "/v1/tasks", undefined, bearer(issuer.token()))).status).toBe(
      200,
    );
  });

  test("a browser may ask with a token from anywhere", async () => {
    const answer = await api.call("OPTIONS", "/v1/tasks", undefined, {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,x-api-key,x-anything",
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-headers")).toContain("authorization");
    expect(answer.headers.get("access-control-allow-headers")).toContain("x-anything");
  });

  test("who may not is told so before the body is looked at", async () => {
    const none = { ...bearer(issuer.token({ permissions: [] })) };
    expect((await api.call("POST", "/v1/tasks", "this is no JSON", none)).status).toBe(403);
    expect((await api.call("POST", "/v1/tasks", "this is no JSON")).status).toBe(401);
    const may = bearer(issuer.token());
    expect((await api.call("POST", "/v1/tasks", "this is no JSON", may)).status).toBe(400);
  });

  test("who may not is answered while the body is still to come", async () => {
    const { hostname, port } = new URL(api.server.url);
    const socket = connect(Number(port), hostname);
    const answered = new Promise<string>((settle) => {
      socket.once("data", (bytes) => settle(bytes.toString()));
    });
    socket.write(
      "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
    );
    expect(await answered).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });
});

test("no token, key or signature is in the log; refusals are, up to a limit", async () => {
  const text = log.join("");
  expect(text).toContain("authentication failed");
  for (const key of [OLD_KEY, NEW_KEY, LEGACY_KEY]) expect(text).not.toContain(key);
  expect(text).not.toMatch(/eyJ[\w-]{20,}/);
  const refusals = log.filter((line) => line.includes("authentication failed")).length;
  expect(refusals).toBeGreaterThan(0);
  const minutes = Math.ceil((performance.now() - startedAt) / 60_000);
  expect(refusals).toBeLessThanOrEqual(20 * minutes);
});
