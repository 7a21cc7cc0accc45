import { defineHandler, from } from "@tasker-core/sdk";
import { z } from "zod";

const DECIMALS: Readonly<Record<string, number>> = { JPY: 0, KWD: 3 };

/** `charge` runs in Ruby: a schema checks its result and gives it a type here. */
const payment = z.object({ payment_id: z.string(), amount: z.int(), currency: z.string() });

export const receipt = defineHandler(
  "orders.receipt",
  {
    depends: { payment: from(payment, "charge") },
    input: z.object({ order_id: z.string(), customer: z.object({ name: z.string() }) }),
  },
  ({ payment, input }) => {
    const amount = formatAmount(payment.amount, payment.currency);
    return {
      number: payment.payment_id.replace("pay_", "R-"),
      text: `Thank you, ${input.customer.name}! ${input.order_id}: ${amount}`,
    };
  },
);

function formatAmount(minorUnits: number, currency: string): string {
  const decimals = DECIMALS[currency] ?? 2;
  return `${currency} ${(minorUnits / 10 ** decimals).toFixed(decimals)}`;
}
