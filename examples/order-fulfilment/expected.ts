import type { Order } from "./orders.js";

/** What an order must end as. */
export interface ExpectedOrder {
  readonly state: "complete" | "blocked_by_failures";
  readonly failedStep: string | null;
  /** Part of the failed step's error message. */
  readonly reason: string | null;
  /** Attempts of the steps that need more than one. A worker that dies may add to them. */
  readonly attempts: Readonly<Record<string, number>>;
  /** The result of every step that succeeds. Big integers are exact. */
  readonly results: Readonly<Record<string, Readonly<Record<string, Value>>>>;
}

export type Value = string | number | bigint;

const CURRENCIES = "EUR USD GBP JPY KWD INR BRL".split(" ");
const CHARGE_ATTEMPTS = 4;
const THROWAWAY = /@(trashmail|tempbox)\.example$/;

/**
 * The same order worked out in one go and in whole numbers, without any code of the handlers: what the workflow of three
 * languages, queues, retries and crashes has to arrive at.
 */
export function expectedOf(order: Order): ExpectedOrder {
  const units = order.lines.reduce((sum, line) => sum + line.quantity, 0);
  const grams = order.lines.reduce((sum, line) => sum + line.quantity * line.weight_g, 0);
  const attempts: Record<string, number> = {};
  const results: Record<string, Record<string, Value>> = {};
  const stopped = (failedStep: string, reason: string): ExpectedOrder => ({
    state: "blocked_by_failures",
    failedStep,
    reason,
    attempts,
    results,
  });

  const complaint = complaintAbout(order, units);
  if (complaint !== null) return stopped("validate", complaint);
  results["validate"] = { order_id: order.order_id, units, weight_g: grams };

  const { subtotal, tax } = priceOf(order);
  const total = subtotal + tax;
  results["price_and_tax"] = {
    subtotal: Number(subtotal),
    tax: Number(tax),
    total: Number(total),
    currency: order.currency,
  };

  const ledger = BigInt(order.ledger_number.source);
  const reservation = `${order.warehouse.code}/${order.order_id}`;
  results["reserve_inventory"] = {
    reservation,
    units,
    weight_kg: grams / 1000,
    ledger_entry: ledger + 1n,
  };
  if (order.warehouse.busy_attempts > 0) {
    attempts["reserve_inventory"] = order.warehouse.busy_attempts + 1;
  }

  const isAbroad = order.customer.country !== order.ship_to;
  const isThrowaway = THROWAWAY.test(order.customer.email);
  const bulk = Math.min(Math.trunc(units / 10), 5);
  const score = 10 + (isAbroad ? 25 : 0) + (isThrowaway ? 40 : 0) + 5 * bulk;
  if (score >= 80) return stopped("fraud_score", `risk score ${score}`);
  results["fraud_score"] = { score, verdict: score < 50 ? "accept" : "review" };

  if (order.card === "declined") return stopped("charge", "card declined");
  const timeouts = order.card === "down" ? CHARGE_ATTEMPTS : Number(order.card.split("_")[1] ?? 0);
  if (timeouts > 0) attempts["charge"] = Math.min(timeouts + 1, CHARGE_ATTEMPTS);
  if (timeouts >= CHARGE_ATTEMPTS) return stopped("charge", "payment gateway timed out");

  const number = order.order_id.slice("SO-".length);
  results["charge"] = {
    payment_id: `pay_${number}`,
    amount: Number(total),
    currency: order.currency,
    ledger_entry: ledger + 2n,
  };
  const parcels = Math.trunc((grams + 19_999) / 20_000);
  const tracking = `${order.ship_to}-${number}-${parcels}`;
  const label = `${order.customer.name} (${order.ship_to}) from ${reservation}`;
  results["ship"] = { tracking, parcels, label };
  const text = `Thank you, ${order.customer.name}! ${order.order_id}: ${amountText(total, order.currency)}`;
  results["receipt"] = { number: `R-${number}`, text };
  results["close"] = {
    order_id: order.order_id,
    status: score < 50 ? "fulfilled" : "fulfilled_under_review",
    units,
    parcels,
    tracking,
    receipt: text,
  };
  return { state: "complete", failedStep: null, reason: null, attempts, results };
}

/** A word of the message that the first check refusing the order writes, or null. */
function complaintAbout(order: Order, units: number): string | null {
  if (order.lines.length === 0) return "lines";
  if (order.lines.some(({ quantity }) => quantity < 1)) return "quantity";
  if (!CURRENCIES.includes(order.currency)) return "currency";
  if (!order.customer.email.includes("@")) return "email";
  return units > 500 ? "ask the sales desk" : null;
}

function priceOf(order: Order): { subtotal: bigint; tax: bigint } {
  let subtotal = 0n;
  let tax = 0n;
  for (const line of order.lines) {
    const net = BigInt(line.quantity) * BigInt(line.unit_price);
    subtotal += net;
    // Half up: add half a unit, cut off the rest.
    tax += (net * rate(order.ship_to, line.sku.startsWith("BOOK")) + 5_000n) / 10_000n;
  }
  return { subtotal, tax };
}

/** Basis points. */
function rate(country: string, isBook: boolean): bigint {
  switch (country) {
    case "DE":
      return isBook ? 700n : 1900n;
    case "FR":
      return isBook ? 550n : 2000n;
    case "GB":
      return isBook ? 0n : 2000n;
    case "CH":
      return isBook ? 260n : 810n;
    case "NO":
      return isBook ? 0n : 2500n;
    case "JP":
      return 1000n;
    case "IN":
      return isBook ? 500n : 1800n;
    case "BR":
      return isBook ? 0n : 1700n;
    default:
      return 0n;
  }
}

function amountText(amount: bigint, currency: string): string {
  const decimals = currency === "JPY" ? 0 : currency === "KWD" ? 3 : 2;
  if (decimals === 0) return `${currency} ${amount}`;
  const digits = amount.toString().padStart(decimals + 1, "0");
  return `${currency} ${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
