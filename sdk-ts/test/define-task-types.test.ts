/** The compiler is the test here: `tsc -p tsconfig.test.json` fails on an unused `@ts-expect-error`. */
import { expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { defineHandler, defineTask, type StepContext } from "../src/index.js";

const Order = z.object({ card: z.string(), items: z.array(z.object({ price: z.number() })) });

it("types the input by its schema and dependencies by step name", () => {
  const task = defineTask({
    name: "typed",
    input: Order,
    steps: (task) =>
      task
        .step("validate", ({ input, context, signal }) => {
          expectTypeOf(input.items[0]?.price).toEqualTypeOf<number | undefined>();
          expectTypeOf(context).toEqualTypeOf<StepContext>();
          expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
          // @ts-expect-error the schema has no such field
          input.crad;
          return { total: 7, at: new Date(0) };
        })
        .step("charge", { dependsOn: ["validate"] }, async ({ validate }) => {
          expectTypeOf(validate.total).toEqualTypeOf<number>();
          // A date has become text on its way through the database.
          expectTypeOf(validate.at).toEqualTypeOf<string>();
          // @ts-expect-error the step returns no such field
          validate.totl;
          return "ch_1";
        })
        .step("ship", { dependsOn: ["charge"] }, (args) => {
          expectTypeOf(args.charge).toEqualTypeOf<{ result: string }>();
          // @ts-expect-error it does not depend on that step
          return args.validate;
        }),
  });
  expect(task.info.steps.map(({ name }) => name)).toEqual(["validate", "charge", "ship"]);
});

it("refuses steps that there are not", () => {
  const define = () =>
    defineTask({
      name: "wrong",
      steps: (task) =>
        task
          .step("one", () => 1)
          // @ts-expect-error there is no step of that name before this one
          .step("two", { dependsOn: ["oen"] }, () => 2),
    });
  expect(define).toThrow("depends on `oen`");
});

it("takes steps as an object, typed by their output schemas and handlers", () => {
  const price = defineHandler("price", {}, () => ({ total: 3 }));
  const task = defineTask({
    name: "object",
    input: Order,
    steps: {
      price: { handler: price },
      check: {
        output: z.object({ ok: z.boolean() }),
        run: ({ input }) => ({ ok: input.card !== "" }),
      },
      charge: {
        dependsOn: ["price", "check"],
        run: ({ price, check }) => {
          expectTypeOf(price).toEqualTypeOf<{ total: number }>();
          expectTypeOf(check).toEqualTypeOf<{ ok: boolean }>();
          return { charged: check.ok ? price.total : 0 };
        },
      },
    },
  });
  expect(task.info.steps[2]).toMatchObject({ name: "charge", dependsOn: ["price", "check"] });
  const wrong = () =>
    defineTask({
      name: "object_wrong",
      // @ts-expect-error there is no step of that name
      steps: { a: { run: () => 1 }, b: { dependsOn: ["aa"], run: () => 2 } },
    });
  expect(wrong).toThrow("depends on `aa`");
});
