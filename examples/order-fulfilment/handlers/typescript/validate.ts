import { defineHandler, PermanentError } from "@tasker-core/sdk";
import { z } from "zod";

const LARGEST_ORDER = 500; // units: more than this goes through the sales desk

const line = z.object({
  sku: z.string().min(1),
  quantity: z.int().positive(),
  unit_price: z.int().nonnegative(), // minor units of the order's currency
  weight_g: z.int().positive(),
});

/** The functional form: what does not fit the schema fails the step for good, with the path of every problem. */
export const validate = defineHandler(
  "orders.validate",
  {
    input: z.object({
      order_id: z.string().regex(/^SO-\d+$/),
      customer: z.object({ name: z.string().min(1), email: z.email(), country: z.string() }),
      ship_to: z.string().length(2),
      currency: z.enum(["EUR", "USD", "GBP", "JPY", "KWD", "INR", "BRL"]),
      lines: z.array(line).nonempty(),
    }),
    output: z.object({ order_id: z.string(), units: z.int(), weight_g: z.int() }),
  },
  ({ input }) => {
    const units = input.lines.reduce((sum, { quantity }) => sum + quantity, 0);
    const weight_g = input.lines.reduce(
      (sum, { quantity, weight_g }) => sum + quantity * weight_g,
      0,
    );
    if (units > LARGEST_ORDER) throw new PermanentError(`${units} units: ask the sales desk`);
    return { order_id: input.order_id, units, weight_g };
  },
);
