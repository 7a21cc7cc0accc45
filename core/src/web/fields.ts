import { z } from "zod";

const UUID = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

export const isUuid = (text: string): boolean => UUID.test(text);

/** A whole number in a query string, within limits that the contract words itself. */
export function queryInteger(fallback: number, min: number, max: number, message: string) {
  return z
    .string()
    .regex(/^-?\d{1,15}$/, { error: `!${message}` })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: `!${message}` })
    .default(fallback)
    .meta({ type: "integer", minimum: min, maximum: max, default: fallback });
}

export const optionalText = z.string().max(500).optional();
