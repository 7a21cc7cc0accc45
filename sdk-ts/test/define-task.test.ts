import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { collectHandlers, collectTemplates, executeStep, ResolverChain } from "../src/host.js";
import {
  defineTask,
  HandlerRegistry,
  registry,
  TaskDefinition,
  TaskRegistry,
} from "../src/index.js";
import { stepEvent } from "./support/step-event.js";

afterEach(() => registry.clear());

const order = () =>
  defineTask({
    name: "order",
    namespace: "shop",
    version: "1.2.0",
    description: "Sells",
    input: z.object({ card: z.string() }),
    steps: (task) =>
      task
        .step("validate", ({ input }) => ({ total: input.card.length }))
        .step(
          "charge",
          { dependsOn: ["validate"], retryLimit: 5, timeoutMs: 1500, config: { currency: "EUR" } },
          ({ validate, context }) => ({
            paid: validate.total,
            currency: context.getConfig<string>("currency"),
          }),
        ),
  });

describe("defineTask", () => {
  it("makes a template in the shape of a YAML file", () => {
    const { input_schema, ...template } = order().toTemplate();
    expect(template).toEqual({
      name: "order",
      namespace_name: "shop",
      version: "1.2.0",
      description: "Sells",
      steps: [
        {
          name: "validate",
          handler: { callable: "shop.order.validate@1.2.0" },
          dependencies: [],
          retry: { retryable: true, max_attempts: 3 },
        },
        {
          name: "charge",
          handler: { callable: "shop.order.charge@1.2.0", initialization: { currency: "EUR" } },
          dependencies: ["validate"],
          retry: { retryable: true, max_attempts: 5 },
          timeout_seconds: 2,
        },
      ],
    });
    expect(input_schema).toMatchObject({ type: "object", required: ["card"] });
  });

  it("brings the handlers of its steps", async () => {
    const task = order();
    const handlers = new HandlerRegistry(ResolverChain.standard());
    for (const handler of collectHandlers({ task }))
      handlers.register(handler.handlerName, handler);
    expect(collectTemplates({ task, again: task })).toEqual([task.toTemplate()]);
    const outcome = await executeStep(
      stepEvent({
        callable: "shop.order.charge@1.2.0",
        context: { card: "4242" },
        dependencies: { validate: { total: 4 } },
        initialization: { currency: "EUR" },
      }),
      handlers,
    );
    expect(outcome).toMatchObject({ valueJson: '{"paid":4,"currency":"EUR"}' });
  });

  it.each([
    ["a cycle", { a: ["b"], b: ["a"] }, "wait for each other: a, b"],
    ["a missing step", { a: ["c"] }, "depends on `c`, which is not a step (steps: a)"],
  ])("refuses %s", (_, edges, message) => {
    const steps = Object.fromEntries(
      Object.entries(edges).map(([name, dependsOn]) => [name, { dependsOn, run: () => 1 }]),
    );
    expect(() => defineTask({ name: "wrong", steps: steps as never })).toThrow(message);
  });

  it("refuses limits and versions that make no sense", () => {
    const one = (settings: object) => () =>
      defineTask({ name: "t", steps: { a: { run: () => 1, ...settings } } as never });
    expect(one({ retryLimit: 0 })).toThrow("retryLimit counts attempts");
    expect(one({ timeoutMs: 0 })).toThrow("expected timeoutMs over 0");
    expect(one({ run: undefined })).toThrow("expected `run` or `handler`");
    expect(() => defineTask({ name: "t", version: "1", steps: { a: { run: () => 1 } } })).toThrow(
      "expected a version like 1.0.0",
    );
  });
});

describe("registry", () => {
  it("lists tasks and says what is in one, in its highest version unless one is named", () => {
    order();
    defineTask({
      name: "order",
      namespace: "shop",
      version: "1.10.0",
      steps: { a: { run: () => 1 } },
    });
    defineTask({ name: "other", steps: { a: { handler: "python_step" } } });
    expect(registry).toBeInstanceOf(TaskRegistry);
    expect(registry.list()).toEqual(["default/other", "shop/order"]);
    expect(registry.list("shop")).toEqual(["shop/order"]);
    expect(registry.versions("shop", "order")).toEqual(["1.2.0", "1.10.0"]);
    expect(registry.info("shop", "order").version).toBe("1.10.0");
    expect(registry.info("shop", "order", "1.2.0").steps[1]).toEqual({
      name: "charge",
      callable: "shop.order.charge@1.2.0",
      dependsOn: ["validate"],
      retryable: true,
      retryLimit: 5,
      timeoutMs: 1500,
      description: null,
    });
    expect(registry.get("default", "other")).toBeInstanceOf(TaskDefinition);
    expect(() => registry.info("shop", "nothing")).toThrow("there are: default/other, shop/order");
    expect(() => registry.info("shop", "order", "9.0.0")).toThrow("versions 1.2.0, 1.10.0");
  });
});
