import { defineHandler, from } from "@tasker-core/sdk";
import { z } from "zod";
import { receipt } from "./receipt.js";
import { validate } from "./validate.js";

/**
 * The join. Results of all ancestors are there, not of direct dependencies only: those of TypeScript handlers come with
 * the types of their handlers, those of other languages with the schema given here.
 */
export const close = defineHandler(
  "orders.close",
  {
    depends: {
      order: from(validate, "validate"),
      receipt: from(receipt, "receipt"),
      fraud: from(z.object({ verdict: z.enum(["accept", "review"]) }), "fraud_score"),
      shipment: from(z.object({ tracking: z.string(), parcels: z.int() }), "ship"),
    },
  },
  ({ order, receipt, fraud, shipment }) => ({
    order_id: order.order_id,
    status: fraud.verdict === "review" ? "fulfilled_under_review" : "fulfilled",
    units: order.units,
    parcels: shipment.parcels,
    tracking: shipment.tracking,
    receipt: receipt.text,
  }),
);
