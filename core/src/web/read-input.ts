import type { z } from "zod";
import { type ApiError, badRequest, unprocessable } from "./api-error.js";

/**
 * Reads what came in through its schema. A limit that is overstepped is a 400; a field that is missing or of another type
 * makes `mistyped`: 422 for a body, 400 for a query.
 * @throws ApiError naming the field's path
 */
export function readInput<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  mistyped: "body" | "query",
): z.output<Schema> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  if (issue === undefined) throw unprocessable("the request cannot be read");
  throw describe(issue, mistyped);
}

function describe(issue: z.core.$ZodIssue, mistyped: "body" | "query"): ApiError {
  const path = issue.path.join(".");
  const isLimit = issue.code === "too_big" || issue.code === "too_small" || issue.code === "custom";
  // A message that a schema brings is the contract's wording: no path is put before it.
  const text = issue.message.startsWith("!")
    ? issue.message.slice(1)
    : `${path === "" ? "the request" : `\`${path}\``}: ${lowerFirst(issue.message)}`;
  return isLimit || mistyped === "query" ? badRequest(text) : unprocessable(text);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
