import { readFile } from "node:fs/promises";
import { type JsonNumber, stringifyJson } from "../../core/src/lib/json-number.js";
import { parseJson } from "../../core/src/lib/parse-json.js";

/** One order of `orders.json`. Amounts are in minor units of the currency. */
export interface Order {
  readonly order_id: string;
  readonly customer: { readonly name: string; readonly email: string; readonly country: string };
  readonly ship_to: string;
  readonly currency: string;
  readonly lines: readonly OrderLine[];
  /** `ok`, `declined`, `down`, or `slow_<n>`: n timeouts, then it works. */
  readonly card: string;
  readonly warehouse: { readonly code: string; readonly busy_attempts: number };
  /** A 64-bit integer, of which JavaScript keeps the digits only as text. */
  readonly ledger_number: JsonNumber;
}

export interface OrderLine {
  readonly sku: string;
  readonly quantity: number;
  readonly unit_price: number;
  readonly weight_g: number;
}

/** The orders, with numbers kept digit by digit. */
export async function readOrders(): Promise<Order[]> {
  const text = await readFile(new URL("./orders.json", import.meta.url), "utf8");
  // The file is this folder's own: generate-orders.mjs wrote it.
  return parseJson(text) as unknown as Order[];
}

/** The task's context for an order, as JSON text. */
export function contextOf(order: Order): string {
  return stringifyJson(order);
}
