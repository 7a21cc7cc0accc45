import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { silentLogger } from "../../src/observability/index.js";
import { JwksCache, JwksUnavailable } from "../../src/web/auth/jwks.js";
import { JwtVerifier } from "../../src/web/auth/jwt-verifier.js";

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

let first: Pair;
let second: Pair;
beforeAll(async () => {
  first = await generateKeyPair("RS256", { extractable: true });
  second = await generateKeyPair("RS256", { extractable: true });
});

/** An issuer's key endpoint, and a clock of our own. */
let server: Server;
let url: string;
let fetched = 0;
let status = 200;
let body: () => unknown = () => ({ keys: [] });
let clock = 0;
beforeEach(async () => {
  fetched = 0;
  status = 200;
  clock = 1_000_000;
  server = createServer((_, answer) => {
    fetched++;
    answer.writeHead(status, { "content-type": "application/json", location: "/elsewhere" });
    const content = body();
    answer.end(typeof content === "string" ? content : JSON.stringify(content));
  });
  await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((settle) => server.close(settle));
});

const jwk = async ({ publicKey }: Pair, kid?: string) => ({
  ...(await exportJWK(publicKey)),
  ...(kid === undefined ? {} : { kid }),
});
const serve = async (...keys: Promise<unknown>[]): Promise<void> => {
  const settled = await Promise.all(keys);
  body = () => ({ keys: settled });
};
const verifier = (): JwtVerifier =>
  new JwtVerifier(
    {
      algorithms: ["RS256"],
      issuer: "tasker-core",
      audience: "tasker-api",
      leewaySeconds: 5,
      maxTokenBytes: 8192,
      permissionsClaim: "permissions",
      namespacesClaim: "namespaces",
      isStrict: true,
      logsUnknown: true,
    },
    new JwksCache({
      url,
      refreshMs: 60_000,
      maxStaleMs: 30_000,
      cooldownMs: 10_000,
      timeoutMs: 2000,
      now: () => clock,
      logger: silentLogger(),
    }),
    silentLogger(),
  );
const token = async ({ privateKey }: Pair, kid?: string): Promise<string> =>
  await new SignJWT({ permissions: "tasks:read", namespaces: ["a", "b"] })
    .setProtectedHeader({ alg: "RS256", ...(kid === undefined ? {} : { kid }) })
    .setSubject("alice")
    .setIssuer("tasker-core")
    .setAudience("tasker-api")
    .setExpirationTime("5m")
    .sign(privateKey);

describe("keys from an issuer's URL", () => {
  test("are fetched once, also when many tokens come at once", async () => {
    await serve(jwk(first, "one"), jwk(second, "two"));
    const jwt = verifier();
    const tokens = [await token(first, "one"), await token(second, "two")];
    const found = await Promise.all([...tokens, ...tokens].map((each) => jwt.verify(each)));
    expect(found[0]).toEqual({
      name: "jwt:alice",
      permissions: new Set(["tasks:read"]),
      namespaces: ["a", "b"],
    });
    expect(fetched).toBe(1);
    clock += 59_000;
    await jwt.verify(await token(first, "one"));
    expect(fetched).toBe(1);
    clock += 2000;
    await jwt.verify(await token(first, "one"));
    expect(fetched).toBe(2);
  });

  test("a token without key id gets the only key, and none when there are several", async () => {
    await serve(jwk(first, "one"));
    expect((await verifier().verify(await token(first))).name).toBe("jwt:alice");
    await serve(jwk(first, "one"), jwk(second, "two"));
    await expect(verifier().verify(await token(first))).rejects.toThrow(/multiple/i);
  });

  test("a key that the issuer has added is found, and unknown ids do not make it fetch without end", async () => {
    await serve(jwk(first, "one"));
    const jwt = verifier();
    await jwt.verify(await token(first, "one"));
    await serve(jwk(first, "one"), jwk(second, "two"));
    // Within the cooldown of the first fetch nothing is asked.
    await expect(jwt.verify(await token(second, "two"))).rejects.toThrow("no applicable key");
    expect(fetched).toBe(1);
    clock += 11_000;
    expect((await jwt.verify(await token(second, "two"))).name).toBe("jwt:alice");
    expect(fetched).toBe(2);
    for (let n = 0; n < 20; n++) {
      await expect(jwt.verify(await token(first, `guess-${n}`))).rejects.toThrow(
        "no applicable key",
      );
    }
    expect(fetched).toBe(2);
  });

  test("a key that was taken out is refused after the next refresh", async () => {
    await serve(jwk(first, "one"));
    const jwt = verifier();
    await jwt.verify(await token(first, "one"));
    await serve(jwk(second, "two"));
    clock += 61_000;
    await expect(jwt.verify(await token(first, "one"))).rejects.toThrow("no applicable key");
  });

  test("an issuer that is away: the old keys for the stale time, then nothing is accepted", async () => {
    await serve(jwk(first, "one"));
    const jwt = verifier();
    await jwt.verify(await token(first, "one"));
    status = 500;
    clock += 61_000;
    await jwt.verify(await token(first, "one"));
    await jwt.verify(await token(first, "one"));
    // The second did not ask again at once.
    expect(fetched).toBe(2);
    clock += 30_000;
    await expect(jwt.verify(await token(first, "one"))).rejects.toThrow(JwksUnavailable);
    status = 200;
    clock += 6000;
    expect((await jwt.verify(await token(first, "one"))).name).toBe("jwt:alice");
  });

  test.each([
    ["another place", 302, () => ({ keys: [] })],
    ["no JSON", 200, () => "keys"],
    ["no keys", 200, () => ({})],
    ["too much", 200, () => " ".repeat(1_100_000)],
    ["a thousand keys", 200, () => ({ keys: Array.from({ length: 1000 }, () => ({})) })],
  ])("an answer that is %s gives no keys", async (_, code, content) => {
    status = code;
    body = content;
    await expect(verifier().verify(await token(first, "one"))).rejects.toThrow(JwksUnavailable);
  });

  test("a shared secret among the keys is no key", async () => {
    const secret = Buffer.from("0123456789abcdef0123456789abcdef");
    body = () => ({ keys: [{ kty: "oct", kid: "one", k: secret.toString("base64url") }] });
    const forged = await new SignJWT({ permissions: ["tasks:*"] })
      .setProtectedHeader({ alg: "HS256", kid: "one" })
      .setIssuer("tasker-core")
      .setAudience("tasker-api")
      .setExpirationTime("5m")
      .sign(secret);
    await expect(verifier().verify(forged)).rejects.toThrow(/alg/);
  });
});
