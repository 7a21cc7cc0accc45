import { describe, expect, it } from "vitest";
import { JsonNumber, type JsonObject } from "../../core/src/lib/json-number.js";
import { differences, type StepRow } from "../../examples/order-fulfilment/check.js";
import { expectedOf } from "../../examples/order-fulfilment/expected.js";
import { type Order, readOrders } from "../../examples/order-fulfilment/orders.js";

const orders = await readOrders();
const orderWhere = (isWanted: (order: Order) => boolean): Order => {
  const found = orders.find((order) => expectedOf(order).state === "complete" && isWanted(order));
  if (found === undefined) throw new Error("orders.json has no such order");
  return found;
};

/** The steps of an order that went right, as the database would have them. */
function rightSteps(order: Order): StepRow[] {
  const { results, attempts } = expectedOf(order);
  return Object.entries(results).map(([name, result]) => ({
    name,
    state: "complete",
    attempts: attempts[name] ?? 1,
    stored: { result: stored(result) },
  }));
}

function stored(result: Readonly<Record<string, string | number | bigint>>): JsonObject {
  const entries = Object.entries(result).map(([key, value]) => [
    key,
    typeof value === "bigint" ? new JsonNumber(String(value)) : value,
  ]);
  return Object.fromEntries(entries) as JsonObject;
}

function withStep(steps: StepRow[], name: string, change: (step: StepRow) => StepRow): StepRow[] {
  return steps.map((step) => (step.name === name ? change(step) : step));
}

describe("the demo's check", () => {
  const order = orderWhere(({ warehouse }) => warehouse.busy_attempts === 1);
  const id = order.order_id;

  it("finds nothing to say about a right order", () => {
    expect(differences(order, "complete", rightSteps(order))).toEqual([]);
  });

  it("sees one unit in the last place of a 64-bit integer", () => {
    const ledger = expectedOf(order).results["charge"]?.["ledger_entry"] as bigint;
    const wrong = withStep(rightSteps(order), "charge", (step) => {
      const result = step.stored?.["result"] as JsonObject;
      const ledger_entry = new JsonNumber(String(ledger + 1n));
      return { ...step, stored: { result: { ...result, ledger_entry } } };
    });
    expect(differences(order, "complete", wrong)).toEqual([
      `${id}: charge.ledger_entry is ${ledger + 1n}, expected ${ledger}`,
    ]);
  });

  it("sees a missing retry, a wrong state and a field too many", () => {
    const steps = rightSteps(order);
    const once = withStep(steps, "reserve_inventory", (step) => ({ ...step, attempts: 1 }));
    const open = withStep(steps, "close", (step) => ({ ...step, state: "enqueued" }));
    const more = withStep(steps, "close", (step) => {
      const result = step.stored?.["result"] as JsonObject;
      return { ...step, stored: { result: { ...result, note: "?" } } };
    });
    expect(differences(order, "complete", once)).toEqual([
      `${id}: step reserve_inventory had 1 attempts, expected at least 2`,
    ]);
    expect(differences(order, "blocked_by_failures", open)).toEqual([
      `${id}: ended as blocked_by_failures, expected complete`,
      `${id}: step close is enqueued, expected complete`,
    ]);
    expect(differences(order, "complete", more)).toEqual([
      `${id}: close.note is "?", expected absent`,
    ]);
  });

  it("sees a step that ran behind a failed one, and another reason for the failure", () => {
    const declined = orders.find(({ card }) => card === "declined") as Order;
    const error = { message: "out of money" };
    const steps: StepRow[] = [
      ...rightSteps(declined),
      { name: "charge", state: "error", attempts: 1, stored: { error } },
      { name: "ship", state: "complete", attempts: 1, stored: { result: {} } },
    ];
    expect(differences(declined, "blocked_by_failures", steps)).toEqual([
      `${declined.order_id}: step charge failed with "out of money", expected "card declined"`,
      `${declined.order_id}: step ship is complete, expected it not to run`,
    ]);
  });

  it("has orders of every kind to look at", () => {
    const kinds = new Set(orders.map((each) => expectedOf(each).failedStep ?? "none"));
    expect([...kinds].sort()).toEqual(["charge", "fraud_score", "none", "validate"]);
    expect(orders.length).toBeGreaterThanOrEqual(200);
  });
});
