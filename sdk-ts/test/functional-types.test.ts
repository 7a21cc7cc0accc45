/** The compiler is the test here: `tsc -p tsconfig.test.json` fails on an unused `@ts-expect-error`. */
import { expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { all, defineBatchWorker, defineHandler, from, optional } from "../src/index.js";

const Order = z.object({ orderId: z.string(), items: z.array(z.object({ sku: z.string() })) });
const Total = z.object({ total: z.number(), status: z.enum(["open", "paid"]) });

const validate = defineHandler("validate", { input: Order, output: Total }, ({ input }) => ({
  total: input.items.length,
  status: "open",
}));

it("types the input by its schema", () => {
  defineHandler("typed_input", { input: Order }, async ({ input, signal }) => {
    expectTypeOf(input.items[0]?.sku).toEqualTypeOf<string | undefined>();
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    // @ts-expect-error the schema has no such field
    return input.orderID;
  });
  // @ts-expect-error without an input schema there is no `input`
  defineHandler("no_input", {}, ({ input }) => input);
  expect(validate.handlerName).toBe("validate");
});

it("types dependencies by the handler they come from", () => {
  const charge = defineHandler("charge", { depends: { order: validate } }, async ({ order }) => {
    expectTypeOf(order).toEqualTypeOf<{ total: number; status: "open" | "paid" }>();
    // @ts-expect-error the other handler returns no such field
    const wrong = order.totl;
    return { chargeId: `ch_${order.total}`, at: new Date(0), wrong };
  });
  // @ts-expect-error no dependency of that name was declared
  defineHandler("wrong_name", { depends: { order: validate } }, ({ ordr }) => ordr);

  defineHandler("ship", { depends: { charge, named: from(charge, "charge_again") } }, (args) => {
    expectTypeOf(args.charge.chargeId).toEqualTypeOf<string>();
    // A date has become text on its way through the database.
    expectTypeOf(args.named.at).toEqualTypeOf<string>();
    return "sent";
  });
  const scalar = defineHandler("scalar", {}, async () => 7);
  defineHandler("reads_scalar", { depends: { scalar } }, (args) => {
    expectTypeOf(args.scalar).toEqualTypeOf<{ result: number }>();
  });
  expect(charge.handlerName).toBe("charge");
});

it("types optional, plural and foreign dependencies", () => {
  const worker = defineBatchWorker("work", {}, async ({ batchContext }) => ({
    done: batchContext?.endCursor ?? 0,
  }));
  const depends = {
    maybe: optional(validate),
    workers: all(worker, "work_"),
    foreign: from(Total, "python_step"),
    plain: "some_step",
  } as const;
  const join = defineHandler("join", { depends }, ({ maybe, workers, foreign, plain }) => {
    expectTypeOf(maybe).toEqualTypeOf<{ total: number; status: "open" | "paid" } | null>();
    expectTypeOf(workers).toEqualTypeOf<{ done: number }[]>();
    expectTypeOf(foreign.status).toEqualTypeOf<"open" | "paid">();
    expectTypeOf(plain).toEqualTypeOf<unknown>();
    // @ts-expect-error it may be null
    return maybe.total;
  });
  expect(join.handlerName).toBe("join");
});

it("checks the returned value against the output schema", () => {
  // @ts-expect-error total is a number
  defineHandler("wrong_output", { output: Total }, () => ({ total: "7", status: "open" }));
  // @ts-expect-error not one of the enum's values
  defineHandler("wrong_literal", { output: Total }, () => ({ total: 7, status: "lost" }));
  // @ts-expect-error misspelt option
  const misspelt = defineHandler("misspelt", { dependss: {} }, () => ({}));
  expect(misspelt.handlerName).toBe("misspelt");
});
