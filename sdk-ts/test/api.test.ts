/** Against a real HTTP server. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StepContext } from "../src/context.js";
import {
  APIMixin,
  ApiHandler,
  applyAPI,
  defineApiHandler,
  type StepHandlerResult,
} from "../src/index.js";
import { stepEvent } from "./support/step-event.js";

let server: Server;
let baseUrl: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      if (pathname === "/hang") return;
      const status = Number(/^\/status\/(\d+)$/.exec(pathname)?.[1] ?? 200);
      response.writeHead(status, {
        "content-type": pathname === "/text" ? "text/plain" : "application/json",
        ...(status === 429 ? { "retry-after": "7" } : {}),
      });
      if (pathname === "/text") response.end("plain");
      else if (pathname === "/broken") response.end("{not json");
      else if (status !== 200) response.end(JSON.stringify({ error: { message: "refused" } }));
      else
        response.end(
          JSON.stringify({
            method: request.method,
            url: request.url,
            headers: request.headers,
            body,
          }),
        );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const api = (settings = {}): APIMixin => new APIMixin({ baseUrl, ...settings });

describe("requests", () => {
  it("drop absent parameters and send default and own headers", async () => {
    const response = await api({ defaultHeaders: { "x-a": "1", "x-b": "1" } }).get(
      "/echo",
      { q: "a b", none: null, gone: undefined, zero: 0 },
      { "X-B": "2" },
    );
    expect(response.ok).toBe(true);
    expect(response.body).toMatchObject({
      method: "GET",
      url: "/echo?q=a+b&zero=0",
      headers: { "x-a": "1", "x-b": "2" },
    });
  });

  it("send JSON bodies unless told otherwise", async () => {
    expect((await api().post("/echo", { body: { a: 1 } })).body).toMatchObject({
      body: '{"a":1}',
      headers: { "content-type": "application/json" },
    });
    const plain = await api().put("/echo", {
      body: "a=1",
      json: false,
      headers: { "Content-Type": "text/x" },
    });
    expect(plain.body).toMatchObject({
      method: "PUT",
      body: "a=1",
      headers: { "content-type": "text/x" },
    });
    expect((await api().patch("/echo")).body).toMatchObject({ method: "PATCH", body: "" });
    expect((await api().delete("/echo")).body).toMatchObject({ method: "DELETE" });
  });

  it("read text, and JSON that is none, as text", async () => {
    expect((await api().get("/text")).body).toBe("plain");
    expect((await api().get("/broken")).body).toBe("{not json");
  });

  it("reject after their timeout, or when the step is asked to stop", async () => {
    await expect(api({ timeout: 20 }).get("/hang")).rejects.toMatchObject({ name: "TimeoutError" });
    const controller = new AbortController();
    const pending = api({ signal: controller.signal }).get("/hang");
    controller.abort();
    await expect(pending).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("results", () => {
  it.each([
    [400, "bad_request", false],
    [404, "not_found", false],
    [418, "client_error", false],
    [429, "rate_limited", true],
    [500, "internal_server_error", true],
    [501, "server_error", false],
    [503, "service_unavailable", true],
  ])("map status %i to %s", async (status, errorType, retryable) => {
    const failure = api().apiFailure(await api().get(`/status/${status}`));
    expect(failure).toMatchObject({
      success: false,
      errorType,
      retryable,
      errorMessage: `HTTP ${status}: refused`,
      metadata: { status_code: status, response_body: { error: { message: "refused" } } },
    });
    expect(failure.metadata["retry_after_seconds"]).toBe(status === 429 ? 7 : undefined);
  });

  it("take the body as the result", async () => {
    const response = await api().get("/text");
    expect(api().apiSuccess(response)).toMatchObject({
      result: { data: "plain" },
      metadata: { status_code: 200 },
    });
    expect(api().apiSuccess(response, { own: 1 }, false)).toMatchObject({
      result: { own: 1 },
      metadata: {},
    });
  });

  it("say what happened when there was no answer", () => {
    expect(api().timeoutError(new TypeError("slow"), "loading users")).toMatchObject({
      errorType: "timeout",
      errorMessage: "Request timeout while loading users: slow",
      metadata: { exception_type: "TypeError" },
    });
  });
});

describe("handlers", () => {
  it("call the API as a class, as a function, and as any object", async () => {
    class Users extends ApiHandler {
      static override readonly baseUrl = baseUrl;
      async call(): Promise<StepHandlerResult> {
        return this.apiSuccess(await this.get("/text"));
      }
    }
    expect((await new Users().call()).result).toEqual({ data: "plain" });
    const users = defineApiHandler("users", { baseUrl }, async ({ api: client }) => ({
      status: (await client.get("/text")).statusCode,
    }));
    const context = StepContext.fromFfiEvent(stepEvent(), "users");
    expect((await new users().call(context)).result).toEqual({ status: 200 });
    const target = applyAPI({ baseUrl });
    expect((await target.get("/text")).toDict()).toMatchObject({ status_code: 200, body: "plain" });
  });
});
