/** The README of `@tasker-core/sdk` is loaded and run, from a folder with nothing else in it. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  executeStep,
  HandlerRegistry,
  ResolverChain,
  type StepExecution,
  toFfiStepEvent,
} from "@tasker-core/sdk/host";
import { afterAll, beforeAll, expect, it } from "vitest";
import { HandlerLoader } from "../../src/worker/handler-loader.js";
import { delivery } from "./support/delivery.js";

const sdk = new URL("../../../sdk-ts/", import.meta.url);
const registry = new HandlerRegistry(ResolverChain.standard());
const loader = new HandlerLoader(registry, {
  standIns: {
    "@tasker-core/sdk": new URL("src/index.ts", sdk).href,
    zod: pathToFileURL(createRequire(import.meta.url).resolve("zod")).href,
  },
});
const requests: unknown[] = [];
const payments = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on("end", () => {
    requests.push({ key: request.headers["idempotency-key"], ...JSON.parse(body) });
    response.end("ch_1");
  });
});
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "tasker-readme-"));
  const readme = await readFile(new URL("README.md", sdk), "utf8");
  const [order, refund, summary] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(
    ([, code]) => code,
  );
  await writeFile(join(root, "order.ts"), order ?? "");
  await writeFile(join(root, "refund.ts"), refund ?? "");
  await writeFile(join(root, "summary.ts"), summary ?? "");
  await new Promise<void>((resolve) => payments.listen(0, "127.0.0.1", resolve));
  process.env["PAYMENTS_URL"] = `http://127.0.0.1:${(payments.address() as AddressInfo).port}`;
});

afterAll(async () => {
  await loader.close();
  payments.closeAllConnections();
  payments.close();
  await rm(root, { recursive: true });
});

async function run(
  callable: string,
  context: Record<string, unknown>,
  results: Record<string, unknown>,
): Promise<StepExecution> {
  const { payload, stepUuid } = delivery({ callable, context });
  const dependencies = Object.entries(results).map(([name, result]) => [name, { result }]);
  const ids = { eventId: "e1", taskUuid: "t1", stepUuid, correlationId: "c1" };
  const step = { ...payload.value(), dependency_results: Object.fromEntries(dependencies) };
  return await executeStep(toFfiStepEvent(step, ids), registry);
}

it("has handlers that load and do what it says", async () => {
  const report = await loader.load([root]);
  expect(report.problems).toEqual([]);
  expect(report.handlers.map(({ name }) => name)).toEqual([
    "charge_card",
    "validate_order",
    "shop.refund.check@1.0.0",
    "shop.refund.pay_back@1.0.0",
    "summary",
  ]);
  expect(report.templates).toMatchObject([{ name: "refund", namespace_name: "shop" }]);

  const context = {
    card: "4242",
    items: [
      { sku: "A", price: 2.5 },
      { sku: "B", price: 4 },
    ],
  };
  expect(await run("validate_order", context, {})).toMatchObject({ valueJson: '{"total":6.5}' });
  const charged = await run("charge_card", context, { validate_order: { total: 6.5 } });
  expect(charged).toMatchObject({ valueJson: '{"chargeId":"ch_1"}' });
  expect(requests).toEqual([{ key: expect.any(String), card: "4242", amount: 6.5 }]);
  expect(await run("validate_order", { card: "4242", items: [] }, {})).toMatchObject({
    errorType: "validation_error",
    retryable: false,
    message: expect.stringContaining("items"),
  });
  const refund = { chargeId: "ch_1", amount: 7 };
  const paidBack = await run("shop.refund.pay_back@1.0.0", refund, { check: { allowed: true } });
  expect(paidBack).toMatchObject({ valueJson: '{"refunded":7}' });
  const results = { check_order: { total: 1 }, part_1: { total: 2 }, python_report: { rows: 3 } };
  expect(await run("summary", {}, results)).toMatchObject({
    valueJson: '{"total":3,"charged":false,"rows":3}',
  });
});
